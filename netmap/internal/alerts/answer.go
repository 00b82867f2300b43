package alerts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Kind is what a source is.
type Kind string

// The kinds. With Auto the answer decides.
const (
	Auto         Kind = "auto"
	Prometheus   Kind = "prometheus"
	Alertmanager Kind = "alertmanager"
)

// Choices returns the kinds that a configuration may have.
func (Kind) Choices() []string {
	return []string{string(Auto), string(Prometheus), string(Alertmanager)}
}

// path returns where a kind has its alerts. Alertmanager leaves out silenced and inhibited alerts.
func (k Kind) path() string {
	if k == Alertmanager {
		return "/api/v2/alerts?active=true&silenced=false&inhibited=false&unprocessed=false"
	}
	return "/api/v1/alerts"
}

// A received alert is as a source sent it.
type received struct {
	labels, annotations map[string]string
	state               State
	since               time.Time
	generator           string // address of the query that the alert comes from
}

// Read returns the alerts of an answer that are pending or firing. Each gets a link to the page, if there is one.
func Read(kind Kind, answer io.Reader, rules *Rules, page string) ([]Alert, error) {
	got, err := kind.parse(answer)
	if err != nil {
		return nil, err
	}
	all := make([]Alert, len(got))
	for i := range got {
		all[i] = newAlert(got[i], rules, page)
	}
	return all, nil
}

func (k Kind) parse(r io.Reader) ([]received, error) {
	if k == Alertmanager {
		return parseAlertmanager(r)
	}
	return parsePrometheus(r)
}

// parsePrometheus reads the answer of Prometheus' HTTP API, version 1.
func parsePrometheus(r io.Reader) ([]received, error) {
	var answer struct {
		Status string
		Error  string
		Data   *struct {
			Alerts []struct {
				Labels, Annotations map[string]string
				State               string
				ActiveAt            time.Time
			}
		}
	}
	if err := decode(r, &answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" || answer.Data == nil {
		return nil, fmt.Errorf("it is not the answer of Prometheus: status %q, error %q", cut(answer.Status, 40),
			cut(answer.Error, 200))
	}
	var all []received
	for _, got := range answer.Data.Alerts {
		a := received{labels: got.Labels, annotations: got.Annotations, since: got.ActiveAt}
		switch got.State {
		case Firing.String():
			a.state = Firing
		case Pending.String():
		default: // inactive
			continue
		}
		all = append(all, a)
	}
	return all, nil
}

// parseAlertmanager reads the answer of Alertmanager's HTTP API, version 2.
func parseAlertmanager(r io.Reader) ([]received, error) {
	var answer []struct {
		Labels, Annotations map[string]string
		StartsAt            time.Time
		GeneratorURL        string
		Status              struct{ State string }
	}
	if err := decode(r, &answer); err != nil {
		return nil, err
	}
	var all []received
	for _, got := range answer {
		if got.Status.State != "active" {
			continue
		}
		all = append(all, received{got.Labels, got.Annotations, Firing, got.StartsAt, got.GeneratorURL})
	}
	return all, nil
}

func decode(r io.Reader, into any) error {
	limited := &io.LimitedReader{R: r, N: maxAnswer + 1}
	err := json.NewDecoder(limited).Decode(into)
	if limited.N <= 0 {
		return fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &wrong) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is not an answer with alerts: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return err
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

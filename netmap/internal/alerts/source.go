package alerts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxAnswer = 8 << 20         // bytes of an answer: four times the largest that maxAlerts fill
	keep      = 5 * time.Minute // how long the last alerts of a source that does not answer stay
)

// Config is where alerts come from.
type Config struct {
	Client   *http.Client
	Endpoint string // base of the URL, such as http://prometheus:9090
	Kind     Kind
	Interval time.Duration
	Rules    *Rules
	Page     string // a link that every alert gets; empty: none
}

// A Source polls one Prometheus or Alertmanager.
type Source struct {
	config Config
	found  Kind // the kind that answered last
	now    func() time.Time
	last   []Alert
	shown  string // fingerprint of last
	set    atomic.Pointer[Set]
}

// New returns a source that knows nothing yet.
func New(c Config) *Source {
	client := *c.Client
	// A redirect to another host would send it the configured headers.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Client = &client
	s := &Source{config: c, now: time.Now}
	s.set.Store(NewSet(Status{State: "starting"}, nil))
	return s
}

// Set returns what is known now. The nil Source has nothing.
func (s *Source) Set() *Set {
	if s == nil {
		return nil
	}
	return s.set.Load()
}

// Run polls until the context ends.
func (s *Source) Run(ctx context.Context) {
	tick := time.NewTicker(s.config.Interval)
	defer tick.Stop()
	for {
		s.poll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll asks once, and replaces the set.
func (s *Source) poll(ctx context.Context) {
	all, err := s.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	before := s.Set().Status
	status := Status{State: "ok", Kind: s.found, At: seconds(s.now())}
	if err != nil {
		status = Status{State: "unreachable", Kind: s.found, Reason: err.Error(), At: before.At}
		all = nil
		if s.now().Sub(time.UnixMilli(int64(before.At*1000))) < keep {
			all = s.last
		}
	}
	status.Version = before.Version
	shown := fingerprint(all)
	if shown != s.shown || status.State != before.State || status.Reason != before.Reason {
		status.Version++
	}
	s.last, s.shown = all, shown
	s.set.Store(NewSet(status, append([]Alert(nil), all...)))
}

// ask returns the alerts. With the kind auto it asks for those of Prometheus, then for those of Alertmanager, the kind
// that answered last first.
func (s *Source) ask(ctx context.Context) ([]Alert, error) {
	kinds := []Kind{s.config.Kind}
	if s.config.Kind == Auto {
		kinds = []Kind{Prometheus, Alertmanager}
		if s.found == Alertmanager {
			kinds = []Kind{Alertmanager, Prometheus}
		}
	}
	var errs []string
	for _, kind := range kinds {
		all, err := s.get(ctx, kind)
		if err == nil {
			s.found = kind
			return all, nil
		}
		if text := err.Error(); len(errs) == 0 || errs[0] != text { // an endpoint that is down says it once
			errs = append(errs, text)
		}
	}
	return nil, errors.New(strings.Join(errs, "; "))
}

func (s *Source) get(ctx context.Context, kind Kind) ([]Alert, error) {
	target := strings.TrimSuffix(s.config.Endpoint, "/") + kind.path()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, errors.New("the endpoint is no URL")
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.config.Client.Do(request)
	if err != nil {
		return nil, cause(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", kind.path(), response.Status)
	}
	all, err := Read(kind, response.Body, s.config.Rules, s.config.Page)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind.path(), cause(err))
	}
	return all, nil
}

// cause returns an error without the URL, which may have a password in it: the page shows the error.
func cause(err error) error {
	var wrapped *url.Error
	if !errors.As(err, &wrapped) {
		return err
	}
	if wrapped.Timeout() {
		return errors.New("no answer in time")
	}
	return wrapped.Err
}

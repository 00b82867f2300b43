package alerts

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

// The API and the page have these names.
func TestAnAlertAsJSON(t *testing.T) {
	a := newAlert(received{
		labels: pairs("alertname=Down,pod=web-1"), annotations: map[string]string{"description": "d", "message": "m"},
		since: time.UnixMilli(1_764_000_000_250), generator: "https://p.example/g",
	}, usual(t), "https://p.example/alerts")
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"` + a.ID + `","name":"Down","state":"pending","severity":"","summary":"d","since":1764000000.25,` +
		`"labels":{"alertname":"Down","pod":"web-1"},"links":[{"name":"source","url":"https://p.example/g"},` +
		`{"name":"alerts","url":"https://p.example/alerts"}],"about":{"tag":"pod","value":"web-1"}}`
	if string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

// The labels identify an alert. Two servers of a pair send it with other annotations, and one of them earlier.
func TestOneAlertOfTwoServers(t *testing.T) {
	sent := func(labels string, state State, summary string) Alert {
		return newAlert(received{labels: pairs(labels), state: state, annotations: map[string]string{"summary": summary}},
			usual(t), "")
	}
	s := NewSet(Status{}, []Alert{
		sent("alertname=Down,pod=a", Pending, "one"), sent("pod=a,alertname=Down", Firing, "two"),
		sent("alertname=Down,pod=b", Firing, "three"), sent("alertname=Down,pod=a,x=", Firing, "four"),
	})
	if firing, pending := s.Count(); firing != 3 || pending != 0 || s.Status.LeftOut != 0 {
		t.Errorf("%d firing, %d pending: %+v", firing, pending, s.Alerts)
	}
	// Names and values do not run into each other.
	if sent("a=1,b=2", Firing, "").ID == sent(`a=1",b="2`, Firing, "").ID {
		t.Error("two alerts have one id")
	}
}

// Whatever a person sees on the page changes the version.
func TestFingerprints(t *testing.T) {
	base := received{labels: pairs("alertname=Down,pod=a"), annotations: map[string]string{"summary": "s"}}
	seen := map[string]string{fingerprint(nil): "no alert"}
	for name, change := range map[string]func(r *received){
		"nothing":    func(*received) {},
		"state":      func(r *received) { r.state = Firing },
		"label":      func(r *received) { r.labels = pairs("alertname=Down,pod=b") },
		"summary":    func(r *received) { r.annotations = map[string]string{"summary": "t"} },
		"link":       func(r *received) { r.annotations = map[string]string{"summary": "s", "a_url": "http://a.example"} },
		"start time": func(r *received) { r.since = time.Unix(7, 0) },
		"generator":  func(r *received) { r.generator = "http://p.example" },
	} {
		r := base
		change(&r)
		got := fingerprint([]Alert{newAlert(r, usual(t), "")})
		if other, known := seen[got]; known {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[got] = name
	}
}

func TestSeveritiesInOrder(t *testing.T) {
	for severity, want := range map[string]int{
		"critical": 0, "CRITICAL": 0, "page": 0, "warning": 1, "": 1, "P3": 1, "info": 2, "None": 2,
	} {
		if got := rank(severity); got != want {
			t.Errorf("%q has the rank %d, want %d", severity, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "abcd": "abcd", "abcde": "abcd…", "ääää": "ää…", "aääa": "aä…", "a\xffb": "ab", "日本": "日…",
	} {
		if got := cut(text, 4); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// An answer that ends too early is an error, not a shorter list: the alerts that it lacks have not ended.
func TestAnswersThatEndTooEarly(t *testing.T) {
	for kind, answer := range map[Kind]string{Prometheus: firing, Alertmanager: fromPaging} {
		for n := range len(answer) {
			if _, err := kind.parse(strings.NewReader(answer[:n])); err == nil {
				t.Errorf("%s: the first %d bytes are an answer", kind, n)
			}
		}
		if got, err := kind.parse(iotest.OneByteReader(strings.NewReader(answer))); err != nil || len(got) != 1 {
			t.Errorf("%s: %d alerts, %v", kind, len(got), err)
		}
	}
	reset := errors.New("connection reset")
	_, err := Prometheus.parse(io.MultiReader(strings.NewReader(firing[:20]), iotest.ErrReader(reset)))
	if !errors.Is(err, reset) {
		t.Errorf("%v", err)
	}
}

// Prometheus sends a time with nanoseconds, and none for what is inactive.
func TestStartTimes(t *testing.T) {
	for sent, want := range map[string]float64{
		`"activeAt":"2025-11-24T16:00:00.123456789Z",`: 1764000000.123, `"activeAt":"0001-01-01T00:00:00Z",`: 0, "": 0,
	} {
		answer := strings.Replace(firing, `"state"`, sent+`"state"`, 1)
		if all := parsed(t, Prometheus, answer); len(all) != 1 || all[0].Since != want {
			t.Errorf("%s: %+v, want %v", sent, all, want)
		}
	}
	if _, err := Prometheus.parse(strings.NewReader(strings.Replace(firing, `"state"`, `"activeAt":"soon","state"`, 1))); err == nil {
		t.Error("soon is a time")
	}
}

// Nothing that a source sends is too much for the page, or a link that runs in it.
func FuzzAnswers(f *testing.F) {
	for _, answer := range []string{
		firing, none, fromPaging, `{"status":"success","data":{"alerts":[{"labels":null,"state":"pending"},null]}}`,
		`[{"labels":{"pod":"\ud800"},"annotations":{"a_url":"javascript:x","summary":"\u0000"},"status":{"state":"active"}}]`,
	} {
		f.Add(answer)
	}
	rules, err := NewRules(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, kind := range []Kind{Prometheus, Alertmanager} {
			all, err := Read(kind, strings.NewReader(answer), rules, "")
			if err != nil {
				continue
			}
			for _, a := range NewSet(Status{}, all).Alerts {
				checkBounds(t, a)
			}
		}
	})
}

func checkBounds(t *testing.T, a Alert) {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil || !utf8.Valid(text) || len(a.Labels) > maxLabels || len(a.Links) > maxLinks || len(a.Summary) > maxText+3 {
		t.Errorf("%s: %v", text, err)
	}
	for _, link := range a.Links {
		if scheme, _, _ := strings.Cut(strings.ToLower(link.URL), ":"); scheme != "http" && scheme != "https" {
			t.Errorf("a link to %q", link.URL)
		}
	}
}

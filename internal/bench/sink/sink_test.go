package sink

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func newSink(t *testing.T) *Sink {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// send exports as a collector does.
func send(t *testing.T, s *Sink, body string) int {
	t.Helper()
	response, err := http.Post(s.URL+"/v1/metrics", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// sum is an export of one resource with one sum of one point.
func sum(executable, metric, attributes, start string, value int) string {
	return fmt.Sprintf(`{"resourceMetrics":[{"resource":{"attributes":[
		{"key":"process.executable.name","value":{"stringValue":%q}}]},"scopeMetrics":[{"scope":{"name":"netconn"},"metrics":[
		{"name":"netconn.tcp.rtt","histogram":{"dataPoints":[{"count":"3"}]}},
		{"name":%q,"sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
		{"attributes":[%s],"startTimeUnixNano":%q,"timeUnixNano":"9","asInt":"%d"}]}}]}]}]}`, executable, metric, attributes, start, value)
}

const transmit = `{"key":"network.io.direction","value":{"stringValue":"transmit"}}`

func TestSumsOverRestarts(t *testing.T) {
	s := newSink(t)
	for _, body := range []string{
		sum("app", "netconn.io", transmit, "1", 100),
		sum("app", "netconn.io", transmit, "1", 250),
		sum("app", "netconn.io", transmit, "5", 30), // a reload: it begins at 0
		sum("app", "netconn.io", transmit, "5", 40),
		sum("app", "netconn.io", "", "5", 7), // another direction
		sum("app", "netconn.active", "", "5", 12),
		sum("other", "netconn.io", transmit, "1", 1000),
		sum("app", "netconn.attempts", "", "5", 3),
		sum("app", "netconn.closed", "", "5", 2),
		sum("app", "netconn.active", "", "5", 11),
	} {
		if status := send(t, s, body); status != http.StatusOK {
			t.Fatalf("refused with %d: %s", status, body)
		}
	}
	want := Sums{Attempts: 3, Closed: 2, Active: 11, Sent: 290, Received: 7}
	if diff := gocmp.Diff(want, s.Sum(Executable("app"))); diff != "" {
		t.Error(diff)
	}
	if s.Exports() != 10 || s.Err() != nil {
		t.Errorf("%d exports, %v", s.Exports(), s.Err())
	}
}

// What the last export does not have is not open any more, but it happened.
func TestSilentSeries(t *testing.T) {
	s := newSink(t)
	send(t, s, sum("app", "netconn.active", "", "1", 5))
	send(t, s, sum("app", "netconn.closed", "", "1", 5))
	if diff := gocmp.Diff(Sums{Closed: 5}, s.Sum(Executable("app"))); diff != "" {
		t.Error(diff)
	}
	send(t, s, `{}`)
	if diff := gocmp.Diff(Sums{Closed: 5}, s.Sum(Executable("app"))); diff != "" {
		t.Error(diff)
	}
}

func TestAll(t *testing.T) {
	s := newSink(t)
	send(t, s, sum("b", "netconn.io", transmit, "1", 5))
	send(t, s, sum("a", "netconn.active", "", "1", 4))
	all := s.All()
	slices.SortFunc(all, func(x, y Series) int { return cmp.Compare(x.Metric, y.Metric) })
	want := []Series{
		{Resource: map[string]string{"process.executable.name": "a"}, Metric: "netconn.active", Attributes: map[string]string{}, Total: 4, Latest: 4},
		{Resource: map[string]string{"process.executable.name": "b"}, Metric: "netconn.io",
			Attributes: map[string]string{"network.io.direction": "transmit"}, Total: 5},
	}
	if diff := gocmp.Diff(want, all, cmpopts.IgnoreUnexported(Series{})); diff != "" {
		t.Error(diff)
	}
}

func TestRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON":        `resourceMetrics`,
		"a fraction":     strings.Replace(sum("a", "m", "", "1", 5), `"asInt":"5"`, `"asInt":"5.5"`, 1),
		"another nature": `{"resourceMetrics": 3}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSink(t)
			if status := send(t, s, body); status != http.StatusBadRequest {
				t.Errorf("answered %d", status)
			}
			if s.Err() == nil || s.Exports() != 0 {
				t.Errorf("%d exports, error %v", s.Exports(), s.Err())
			}
		})
	}
}

func TestWhose(t *testing.T) {
	container := Series{Resource: map[string]string{"process.executable.name": "app", "container.id": "c"}}
	host := Series{Resource: map[string]string{"process.executable.name": "app"}}
	rest := Series{Attributes: map[string]string{"otel.metric.overflow": "true"}}
	restOfContainer := Series{Resource: container.Resource, Attributes: rest.Attributes}
	var got [][2]bool
	for _, s := range []Series{container, host, rest, restOfContainer} {
		got = append(got, [2]bool{Executable("app")(s), Overflow(s)})
	}
	if diff := gocmp.Diff([][2]bool{{false, false}, {true, false}, {false, true}, {false, false}}, got); diff != "" {
		t.Error(diff)
	}
}

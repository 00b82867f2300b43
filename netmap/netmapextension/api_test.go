package netmapextension

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestErrorsSayWhatIsWrong(t *testing.T) {
	s := serve(t)
	for target, want := range map[string]string{
		"/api/v1/graph?window=5":            `400 {"code":"bad_parameter","message":"window: must be a whole number from 10 to 3600","field":"window"}`,
		"/api/v1/graph?window=x":            `400 {"code":"bad_parameter","message":"window: must be a whole number from 10 to 3600","field":"window"}`,
		"/api/v1/graph?end=tomorrow":        `400 {"code":"bad_parameter","message":"end: must be a time in Unix seconds","field":"end"}`,
		"/api/v1/graph?by=nothing":          `400 {"code":"bad_parameter","message":"by: unknown tag \"nothing\"","field":"by"}`,
		"/api/v1/graph?by=":                 `400 {"code":"bad_parameter","message":"by: must be a tag","field":"by"}`,
		"/api/v1/graph?group=nothing":       `400 {"code":"bad_parameter","message":"group: unknown tag \"nothing\"","field":"group"}`,
		"/api/v1/graph?metrics=volume":      `400 {"code":"bad_parameter","message":"metrics: unknown metric \"volume\"","field":"metrics"}`,
		"/api/v1/graph?metrics=tx,tx":       `400 {"code":"bad_parameter","message":"metrics: \"tx\" is there twice","field":"metrics"}`,
		"/api/v1/graph?rank=x":              `400 {"code":"bad_parameter","message":"rank: unknown metric \"x\"","field":"rank"}`,
		"/api/v1/graph?nodes=1001":          `400 {"code":"bad_parameter","message":"nodes: must be a whole number from 1 to 1000","field":"nodes"}`,
		"/api/v1/graph?problems=maybe":      `400 {"code":"bad_parameter","message":"problems: must be true or false","field":"problems"}`,
		"/api/v1/graph?only=old":            `400 {"code":"bad_parameter","message":"only: unknown flag \"old\"","field":"only"}`,
		"/api/v1/graph?bye=name":            `400 {"code":"bad_parameter","message":"bye: is not a parameter of this request","field":"bye"}`,
		"/api/v1/graph?window=10&window=20": `400 {"code":"bad_parameter","message":"window: must be given once","field":"window"}`,
		"/api/v1/graph?filter=pod%3D%22":    `400 {"code":"bad_filter","message":"a quote is not closed","field":"filter","offset":4}`,
		"/api/v1/graph?filter=a%3D1":        `400 {"code":"bad_filter","message":"unknown tag \"a\"","field":"filter","offset":0}`,
		"/api/v1/graph?%zz":                 `400 {"code":"bad_parameter","message":"the parameters are not well-formed"}`,
		"/api/v1/flows?clients=port":        `400 {"code":"bad_parameter","message":"clients: \"port\" is a tag of edges, and none of a client","field":"clients"}`,
		"/api/v1/flows?clients=":            `400 {"code":"bad_parameter","message":"clients: must be 1 to 4 tags","field":"clients"}`,
		"/api/v1/flows?servers=a":           `400 {"code":"bad_parameter","message":"servers: unknown tag \"a\"","field":"servers"}`,
		"/api/v1/flows?sort=-x":             `400 {"code":"bad_parameter","message":"sort: unknown metric \"x\"","field":"sort"}`,
		"/api/v1/flows?spark=rtt":           `400 {"code":"bad_parameter","message":"spark: there is no sparkline of \"rtt\"","field":"spark"}`,
		"/api/v1/flows?limit=0":             `400 {"code":"bad_parameter","message":"limit: must be a whole number from 1 to 1000","field":"limit"}`,
		"/api/v1/series?edges=201":          `400 {"code":"bad_parameter","message":"edges: must be a whole number from 0 to 200","field":"edges"}`,
		"/api/v1/tags/nothing/values":       `404 {"code":"not_found","message":"unknown tag \"nothing\"","field":"tag"}`,
		"/api/v1/tags?x=1":                  `400 {"code":"bad_parameter","message":"x: is not a parameter of this request","field":"x"}`,
		"/api/v1/nothing":                   `404 {"code":"not_found","message":"there is no such request"}`,
		"/api/":                             `404 {"code":"not_found","message":"there is no such request"}`,
		"/api/v2/graph":                     `404 {"code":"not_found","message":"there is no such request"}`,
	} {
		status, text, _ := strings.Cut(want, " ")
		r := s.get(target)
		var got struct{ Error json.RawMessage }
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Errorf("%s: %v in %q", target, err, r.body)
			continue
		}
		if diff := cmp.Diff(text, string(got.Error)); diff != "" || http.StatusText(r.status) == "" || status != itoa(r.status) {
			t.Errorf("%s: %d (-want +got):\n%s", target, r.status, diff)
		}
		if !strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %s", target, r.header.Get("Content-Type"))
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestOnlyGet(t *testing.T) {
	s := serve(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		for _, target := range []string{"/api/v1/graph", "/"} {
			if r := s.ask(method, target); r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") == "" {
				t.Errorf("%s %s: %d, Allow %q", method, target, r.status, r.header.Get("Allow"))
			}
		}
	}
}

func TestAnUnchangedAnswerIsNotSentAgain(t *testing.T) {
	s := serve(t)
	s.give(curl())
	target := "/api/v1/graph?window=3600" // its buckets change once a minute
	first := s.get(target)
	etag := first.header.Get("ETag")
	if again := s.get(target, "If-None-Match", `"other", W/`+etag); again.status != http.StatusNotModified && again.header.Get("ETag") == etag {
		t.Errorf("unchanged: %d", again.status)
	}
	if other := s.get(target+"&by=host", "If-None-Match", etag); other.status != http.StatusOK {
		t.Errorf("another question: %d", other.status)
	}
	f := curl()
	f.Tx = 200
	s.give(f)
	if changed := s.get(target, "If-None-Match", etag); changed.status != http.StatusOK || !strings.Contains(changed.body, "200") {
		t.Errorf("changed: %d", changed.status)
	}
}

func TestStatus(t *testing.T) {
	s := serve(t, func(c *Config) {
		c.Links = []LinkConfig{{Name: "Traces", Kind: "traces", URL: "https://jaeger.example/?service={service.name}&from={from}"}}
	})
	var before, after status
	s.read("/api/v1/status", &before)
	if before.State != "empty" || before.Reason == "" {
		t.Errorf("before the first metrics: %q, %q", before.State, before.Reason)
	}
	s.give(curl())
	s.read("/api/v1/status", &after)
	if after.State != "ok" || after.Store.Edges != 1 || len(after.Reporters) != 1 || after.Reporters[0].Host != "box" {
		t.Errorf("after: %+v", after)
	}
	want := []link{{Name: "Traces", Kind: "traces", URL: "https://jaeger.example/?service={service.name}&from={from}", Needs: []string{"service.name"}}}
	if diff := cmp.Diff(want, after.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if after.Unresolved.Total != 2100 || after.Unresolved.Share != 0 {
		t.Errorf("unresolved: %+v", after.Unresolved)
	}
}

// What the answers are about is tested where they are made; this is that each comes through, and says what was sent.
func TestAnswers(t *testing.T) {
	s := serve(t)
	s.give(curl())
	for target, want := range map[string]map[string]any{
		"/api/v1/graph?by=executable&metrics=tx,failures": {
			"edges":    map[string]any{"client": []any{0.0}, "server": []any{1.0}, "flags": []any{0.0}, "count": []any{1.0}, "tx": []any{100.0}, "failures": []any{1.0}},
			"failures": map[string]any{"refused": []any{[]any{0.0, 1.0}}},
			"groups":   []any{""},
			"by":       "executable",
		},
		"/api/v1/flows?clients=executable,host&servers=name,port": {
			"client": []any{[]any{"curl", "box"}}, "server": []any{[]any{"nginx", "80"}}, "rx": []any{2000.0}, "breaks": []any{1.0},
			"rtt": []any{nil}, "rows": 1.0,
		},
		"/api/v1/series?filter=" + url.QueryEscape(`client.name="curl"`) + "&edges=0": {"count": 1.0, "edges": []any{}},
		"/api/v1/tags/client.executable/values?search=CUR":                            {"values": []any{map[string]any{"value": "curl", "edges": 1.0, "volume": 2100.0}}, "more": false},
		"/api/v1/tags/server.port/values":                                             {"values": []any{map[string]any{"value": "80", "edges": 1.0, "volume": 2100.0}}, "more": false},
	} {
		var got map[string]any
		s.read(target, &got)
		for field, value := range want {
			if diff := cmp.Diff(value, got[field]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", target, field, diff)
			}
		}
	}
}

// Anyone can choose labels. They come out as they went in, as JSON of a type that no browser runs.
func TestALabelIsText(t *testing.T) {
	s := serve(t)
	f := curl()
	f.Resource = f.Resource.With(map[string]any{"k8s.deployment.name": `<script>alert("1")</script>`, "k8s.namespace.name": "\xff\x00\u2028"})
	s.give(f)
	var g struct {
		Nodes struct{ Name []string }
	}
	s.read("/api/v1/graph?by=workload", &g)
	if diff := cmp.Diff([]string{`<script>alert("1")</script>`, "nginx"}, g.Nodes.Name); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if r := s.get("/api/v1/graph?by=workload"); strings.Contains(r.body, "<script") {
		t.Errorf("a browser could read the answer as markup: %s", r.body)
	}
}

package history

import (
	"cmp"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/mailru/easyjson/jlexer"

	"github.com/netconn/netconn/internal/names"
)

// A request is what a store receives.
type request struct {
	method, path, user, password, accept, tenant string
	form                                         url.Values
}

// A tenant is a client's transport that adds a header, as the configuration of the extension has it.
type tenant struct{ http.RoundTripper }

func (t tenant) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Scope-OrgID", "seven")
	return t.RoundTripper.RoundTrip(r)
}

// Each kind of query has its form, below the path of the endpoint, with the configured headers and the password.
func TestRequests(t *testing.T) {
	f := newFake(t)
	var got []request
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_ = r.ParseForm()
		got = append(got, request{r.Method, r.URL.Path, user, password, r.Header.Get("Accept"), r.Header.Get("X-Scope-OrgID"), r.Form})
		f.answer(w, nil)
	})
	c := f.source(func(c *Config) {
		c.Client = &http.Client{Transport: tenant{f.Client().Transport}}
		c.Endpoint = strings.Replace(f.URL, "http://", "http://me:secret@", 1) + "/prometheus/"
		c.Timeout = 2500 * time.Millisecond
	}).client
	_, one := c.instant(t.Context(), "up", now, nil)
	_, two := c.steps(t.Context(), "up", now-120, now, 60, nil)
	_, _, three := c.values(t.Context(), "__name__", "{a=\"&\"}", now-60, now)
	if err := errors.Join(one, two, three); err != nil {
		t.Fatal(err)
	}
	form := func(pairs ...string) url.Values {
		all := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			all.Set(pairs[i], pairs[i+1])
		}
		return all
	}
	want := []request{
		{"POST", "/prometheus/api/v1/query", "me", "secret", "application/json", "seven",
			form("query", "up", "time", "1800000030", "timeout", "2.5s", "latency_offset", "1ms")},
		{"POST", "/prometheus/api/v1/query_range", "me", "secret", "application/json", "seven",
			form("query", "up", "start", "1799999910", "end", "1800000030", "step", "60", "timeout", "2.5s", "latency_offset", "1ms")},
		{"GET", "/prometheus/api/v1/label/__name__/values", "me", "secret", "application/json", "seven",
			form("match[]", "{a=\"&\"}", "start", "1799999970", "end", "1800000030")},
	}
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(request{})); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// A redirect is an error: no other host gets the headers.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host is asked") }))
	defer other.Close()
	f := newFake(t)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := f.source().client.instant(t.Context(), "up", now, nil)
	if want := "the store answers 307 Temporary Redirect"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// An outcome is what the client makes of an answer.
type outcome struct {
	Missing string
	Failure *Failure
	Values  []float64 // of the rows before the failure
}

func TestAnswers(t *testing.T) {
	foreign := &Failure{text: errForeign.text}
	one := `{"metric":{"a":"b"},"value":[1,"1"]}`
	for name, tt := range map[string]struct {
		status int
		body   string
		want   outcome
	}{
		"rows":                 {200, `{"data":{"result":[` + one + `,` + one + `],"resultType":"vector"},"status":"success"}`, outcome{Values: []float64{1, 1}}},
		"no data":              {200, `{"status":"success","data":null}`, outcome{}},
		"warnings":             {200, `{"status":"success","data":{"result":[]},"warnings":["a","b"]}`, outcome{Missing: "a"}},
		"a long warning":       {200, `{"status":"success","warnings":["` + strings.Repeat("é", 150) + `"]}`, outcome{Missing: strings.Repeat("é", 100) + "…"}},
		"a rune that is cut":   {200, `{"status":"success","warnings":["x` + strings.Repeat("é", 150) + `"]}`, outcome{Missing: "x" + strings.Repeat("é", 99) + "…"}},
		"a part":               {200, `{"status":"success","isPartial":true,"warnings":["a"]}`, outcome{Missing: "a part of the store did not answer"}},
		"a failure, and 200":   {200, `{"status":"error","errorType":"internal","error":"no disk"}`, outcome{Failure: &Failure{text: "no disk"}}},
		"a failure, no words":  {200, `{"status":"error"}`, outcome{Failure: foreign}},
		"not understood":       {400, `{"status":"error","errorType":"bad_data","error":"1:1"}`, outcome{Failure: &Failure{text: "1:1", bad: true}}},
		"canceled":             {499, `{"status":"error","errorType":"canceled","error":"shut down"}`, outcome{Failure: &Failure{text: "shut down", Slow: true}}},
		"another document":     {401, `{"message":"who are you"}`, outcome{Failure: &Failure{text: "the store answers 401 Unauthorized"}}},
		"success, and 500":     {500, `{"status":"success","data":{"result":[]}}`, outcome{Failure: &Failure{text: "the store answers 500 Internal Server Error"}}},
		"text":                 {502, "upstream", outcome{Failure: &Failure{text: "the store answers 502 Bad Gateway"}}},
		"a failure after rows": {200, `{"data":{"result":[` + one + `]},"status":"error","error":"died"}`, outcome{Failure: &Failure{text: "died"}, Values: []float64{1}}},
		"a scalar":             {200, `{"status":"success","data":{"result":[1,"1"]}}`, outcome{Failure: foreign}},
		"a sample too large":   {200, `{"status":"success","data":{"result":[{"value":[1,"1e999"]}]}}`, outcome{Failure: foreign}},
		"no end of a list":     {200, `{"status":"success","data":{"result":[` + one, outcome{Failure: &Failure{text: "the answer ends too early"}, Values: []float64{1}}},
		"no key":               {200, `{"status":"success",1}`, outcome{Failure: foreign}},
		"a list that is not":   {200, `{"status":"success","data":{"result":[}}`, outcome{Failure: foreign}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.fail("", tt.status, tt.body)
			var got outcome
			var err error
			got.Missing, err = f.source().client.instant(t.Context(), "up", now, func(r row) { got.Values = append(got.Values, r.Value.Value) })
			if err != nil && !errors.As(err, &got.Failure) {
				t.Errorf("an error of another type: %v", err)
			}
			if diff := gocmp.Diff(tt.want, got, gocmp.AllowUnexported(Failure{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A store may count what is no number. It counts nothing then.
func TestSamples(t *testing.T) {
	type counted struct {
		At, Seconds float64
		Count       uint64
	}
	for text, want := range map[string]counted{
		`[1.5, "2"]`: {1.5, 2, 2}, `[1,"2.5"]`: {1, 2.5, 3}, `[1,"0.4"]`: {1, 0.4, 0}, `[1,"1e3"]`: {1, 1000, 1000},
		`[1,"NaN"]`: {At: 1}, `[1,"+Inf"]`: {At: 1}, `[1,"-Inf"]`: {At: 1}, `[1,"-3"]`: {At: 1}, `[1,"-0"]`: {At: 1},
		`[1,"1e300"]`: {1, 1e300, 0}, `[1,"9223372036854775807"]`: {1, 1 << 63, 0},
	} {
		s, err := sampleOf(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := gocmp.Diff(want, counted{s.At, s.seconds(), s.count()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{`[]`, `null`, `{}`, `"1"`, `[1]`, `[1,true]`, `[1,"2","3"]`} {
		if _, err := sampleOf(text); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func sampleOf(text string) (sample, error) {
	l := &jlexer.Lexer{Data: []byte(text)}
	s := readSample(l)
	return s, l.Error()
}

// An answer that stops, a query that finds no slot, and an endpoint that is no URL: each has its words.
func TestQueriesThatFail(t *testing.T) {
	release := make(chan struct{})
	for name, tt := range map[string]struct {
		timeout  time.Duration
		endpoint string
		slots    int // that are taken
		want     Failure
	}{
		"an answer that stops": {10 * time.Millisecond, "", 0, Failure{text: "no answer within 10ms", Slow: true}},
		"no slot":              {10 * time.Millisecond, "", 2, Failure{text: "too many queries wait for the store", Slow: true}},
		"no URL":               {time.Minute, "http://[", 0, Failure{text: "the endpoint is no URL"}},
	} {
		f := newFake(t)
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"status":"success","data":`))
			w.(http.Flusher).Flush()
			<-release
		})
		c := f.source(func(c *Config) { c.Timeout, c.Endpoint = tt.timeout, cmp.Or(tt.endpoint, c.Endpoint) }).client
		for range tt.slots {
			c.slots <- struct{}{}
		}
		_, err := c.instant(t.Context(), "up", now, nil)
		var got *Failure
		if !errors.As(err, &got) || *got != tt.want || len(c.slots) != tt.slots {
			t.Errorf("%s: got %v, %d slots", name, err, len(c.slots))
		}
	}
	close(release)
}

// The labels of a row are read whatever white space and escapes the store writes.
func TestLabels(t *testing.T) {
	n := newNaming([]string{"netconn_edge_io"})
	for _, text := range []string{
		`{"client_name":"a\"b\u0063","server_port":"80"}`, "{ \"client_name\" : \"a\\\"bc\" ,\n\t\"server_port\": \"80\" }",
	} {
		var rows []row
		body := strings.NewReader(`{"status":"success","data":{"result":[{"metric" : ` + text + ` , "value":[1,"2"]},{"metric":{},"value":[1,"3"]}]}}`)
		_, err := read(body, (&client{maxSeries: 2}).rows(func(r row) { rows = append(rows, r) }))
		if err != nil || len(rows) != 2 || rows[0].Value.Value != 2 || rows[1].Value.Value != 3 {
			t.Fatalf("%s: %+v, %v", text, rows, err)
		}
		first, second := newLabels(&n).of(rows[0].labels), newLabels(&n).of(rows[1].labels)
		if first.client.Get(names.TagName) != `a"bc` || first.port.String() != "80" || second.port.String() != "" {
			t.Errorf("%s: %q, %q and %q", text, first.client.Get(names.TagName), first.port, second.port)
		}
	}
	for _, text := range []string{`["a"]`, `{"a":1}`, `{"a":{}}`, `"a"`, `{"a":"b"`} {
		body := strings.NewReader(`{"status":"success","data":{"result":[{"metric":` + text + `,"value":[1,"2"]}]}}`)
		if _, err := read(body, (&client{maxSeries: 2}).rows(func(row) {})); err == nil {
			t.Errorf("%s are labels", text)
		}
	}
}

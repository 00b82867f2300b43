//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// A jaeger is a Jaeger of the test's own.
type jaeger struct {
	t     *testing.T
	query string // address of its API
	otlp  string // address of its OTLP receiver
	began time.Time
}

// A trace is what a search of Jaeger finds.
type trace struct {
	TraceID string
	Spans   []struct {
		Duration int64 // us
		Tags     []struct {
			Key   string
			Value any
		}
	}
}

// startJaeger starts the Jaeger that `make test-backends` built. Each of its other ports is any free one.
func startJaeger(t *testing.T) *jaeger {
	t.Helper()
	j := &jaeger{t: t, query: freeAddress(t), otlp: freeAddress(t), began: time.Now()}
	arguments := []string{"--query.http-server.host-port=" + j.query, "--collector.otlp.grpc.host-port=" + j.otlp}
	for _, other := range []string{
		"admin.http", "collector.grpc-server", "collector.http-server", "collector.otlp.http", "query.grpc-server",
	} {
		arguments = append(arguments, "--"+other+".host-port=127.0.0.1:0")
	}
	startBackend(t, "jaeger", arguments...)
	until(t, "Jaeger", func() bool { return answers("http://" + j.query + "/api/services") })
	return j
}

// search returns the traces that have a span of a service with all of the tags, or with all of them in its resource.
func (j *jaeger) search(service string, tags values) []trace {
	j.t.Helper()
	text, err := json.Marshal(tags)
	if err != nil {
		j.t.Fatal(err)
	}
	form := url.Values{
		"service": {service}, "tags": {string(text)}, "limit": {"1000"},
		"start": {strconv.FormatInt(j.began.UnixMicro(), 10)}, "end": {strconv.FormatInt(time.Now().UnixMicro(), 10)},
	}
	answer, err := http.Get("http://" + j.query + "/api/traces?" + form.Encode())
	if err != nil {
		j.t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct {
		Data   []trace
		Errors []any
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || len(found.Errors) > 0 {
		j.t.Fatalf("search for %v: %v (%v)", tags, found.Errors, err)
	}
	return found.Data
}

// tagged returns the spans that have a tag.
func (tr trace) tagged(key, value string) (durations []time.Duration) {
	for _, s := range tr.Spans {
		for _, tag := range s.Tags {
			if tag.Key == key && fmt.Sprint(tag.Value) == value {
				durations = append(durations, time.Duration(s.Duration)*time.Microsecond)
			}
		}
	}
	return durations
}

package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailru/easyjson/jlexer"
)

// maxText is how many bytes of a store's own words are shown.
const maxText = 200

// A client asks the HTTP API of Prometheus, version 1.
type client struct {
	http      *http.Client
	endpoint  string // base of the URL, without a slash at its end
	timeout   time.Duration
	maxSeries int
	maxBytes  int64
	slots     chan struct{} // has one element for each query that runs
}

// A row is one series of an answer.
type row struct {
	labels []byte // an object of JSON
	Value  sample
	Values []sample
}

// A sample is a value at a time, in Unix seconds.
type sample struct{ At, Value float64 }

// count returns a sample as a count; what is no count is none.
func (s sample) count() uint64 {
	if !(s.Value > 0) || s.Value >= 1<<63 {
		return 0
	}
	return uint64(math.Round(s.Value))
}

// seconds returns a sample as a time; what is no time is none.
func (s sample) seconds() float64 {
	if !(s.Value > 0) || math.IsInf(s.Value, 0) {
		return 0
	}
	return s.Value
}

// errForeign is what an answer is that no such store gives.
var errForeign = &Failure{text: "this is not the answer of a Prometheus-compatible store"}

// A Failure is an answer that a store did not give.
type Failure struct {
	text string
	Slow bool // it had too little time, or too much to do
	bad  bool // it does not understand the query
}

func (f *Failure) Error() string { return f.text }

// An answer is what a store says besides its rows.
type answer struct {
	status, failure, kind string
	warnings              []string
	partial               bool // VictoriaMetrics: a part of the cluster did not answer
}

// instant sends a query at one time.
func (c *client) instant(ctx context.Context, query string, at int64, each func(row)) (string, error) {
	form := url.Values{"query": {query}, "time": {strconv.FormatInt(at, 10)}}
	return c.ask(ctx, "/api/v1/query", form, c.rows(each))
}

// steps sends a query at all times from one to another one.
func (c *client) steps(ctx context.Context, query string, from, to, step int64, each func(row)) (string, error) {
	form := url.Values{
		"query": {query}, "start": {strconv.FormatInt(from, 10)}, "end": {strconv.FormatInt(to, 10)},
		"step": {strconv.FormatInt(step, 10)},
	}
	return c.ask(ctx, "/api/v1/query_range", form, c.rows(each))
}

// values returns the values of a label that series have in a range of time, and what the store says is missing.
func (c *client) values(
	ctx context.Context, label, selector string, from, to int64,
) (all []string, missing string, err error) {
	form := url.Values{
		"match[]": {selector}, "start": {strconv.FormatInt(from, 10)}, "end": {strconv.FormatInt(to, 10)},
	}
	path := "/api/v1/label/" + url.PathEscape(label) + "/values?" + form.Encode()
	missing, err = c.ask(ctx, path, nil, func(l *jlexer.Lexer) { all = texts(l) })
	return all, missing, err
}

// ask sends a request, and has data decode the data of the answer. Without a form it is a GET. It returns what the
// store says is missing.
func (c *client) ask(
	ctx context.Context, path string, form url.Values, data func(*jlexer.Lexer),
) (missing string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return "", &Failure{text: "too many queries wait for the store", Slow: true}
	}
	request, err := c.request(ctx, path, form)
	if err != nil {
		return "", &Failure{text: "the endpoint is no URL"}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", c.cause(err)
	}
	defer response.Body.Close()
	limited := &io.LimitedReader{R: response.Body, N: c.maxBytes + 1}
	a, err := read(limited, data)
	switch {
	case limited.N <= 0:
		return "", &Failure{text: fmt.Sprintf("an answer has more than %d bytes", c.maxBytes), Slow: true}
	case response.StatusCode != http.StatusOK && a.failure == "":
		timedOut := response.StatusCode == http.StatusGatewayTimeout
		return "", &Failure{text: "the store answers " + response.Status, Slow: timedOut}
	case err != nil:
		return "", c.cause(err)
	}
	return a.check()
}

func (c *client) request(ctx context.Context, path string, form url.Values) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method = http.MethodPost
		form.Set("timeout", strconv.FormatFloat(c.timeout.Seconds(), 'f', -1, 64)+"s")
		form.Set("latency_offset", "1ms") // VictoriaMetrics would answer as of half a minute ago; others ignore it
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, c.endpoint+path, body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("Accept", "application/json")
	return request, nil
}

// check returns what an answer leaves out, or the failure that it is.
func (a *answer) check() (string, error) {
	switch {
	case a.status != "success":
		return "", &Failure{
			text: cut(cmp.Or(a.failure, errForeign.text)),
			Slow: slices.Contains([]string{"timeout", "canceled", "execution", "422", "503"}, a.kind),
			bad:  slices.Contains([]string{"bad_data", "400", "422"}, a.kind),
		}
	case a.partial:
		return "a part of the store did not answer", nil
	case len(a.warnings) > 0:
		return cut(a.warnings[0]), nil
	}
	return "", nil
}

// cause returns an error without the URL, which may have a password in it: the page shows the error.
func (c *client) cause(err error) error {
	var wrapped *url.Error
	var syntax *jlexer.LexerError
	var number *strconv.NumError
	var known *Failure
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &wrapped) && wrapped.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &Failure{text: fmt.Sprintf("no answer within %v", c.timeout), Slow: true}
	case errors.As(err, &wrapped):
		return &Failure{text: cut(wrapped.Err.Error())}
	case errors.As(err, &syntax), errors.As(err, &number):
		return errForeign
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Failure{text: "the answer ends too early"}
	}
	return &Failure{text: cut(err.Error())}
}

func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

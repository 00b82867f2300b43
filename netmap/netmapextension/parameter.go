package netmapextension

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/view"
)

// parameters reads the parameters of one request. The first error counts; parameters with an error have their default.
type parameters struct {
	given url.Values
	known []string
	err   error // an apiError
}

func (p *parameters) fail(field, format string, args ...any) {
	if p.err == nil {
		p.err = apiError{Code: "bad_parameter", Message: field + ": " + fmt.Sprintf(format, args...), Field: field}
	}
}

// text returns a parameter. It is an error if the parameter is there twice.
func (p *parameters) text(name, otherwise string) string {
	p.known = append(p.known, name)
	values, ok := p.given[name]
	switch {
	case !ok:
		return otherwise
	case len(values) > 1:
		p.fail(name, "must be given once")
	}
	return values[0]
}

// list returns the texts between commas, and nothing for an empty text.
func (p *parameters) list(name, otherwise string) []string {
	text := p.text(name, otherwise)
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (p *parameters) number(name string, otherwise, least, most int64) int64 {
	text := p.text(name, "")
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		p.fail(name, "must be a whole number from %d to %d", least, most)
		return otherwise
	}
	return n
}

func (p *parameters) flag(name string) bool {
	switch text := p.text(name, "false"); text {
	case "true":
		return true
	case "false", "":
	default:
		p.fail(name, "must be true or false")
	}
	return false
}

func (p *parameters) by(name, otherwise string) view.By {
	text := p.text(name, otherwise)
	if text == "" {
		return view.None
	}
	b, ok := view.ParseBy(text)
	if !ok {
		p.fail(name, "unknown tag %q", text)
	}
	return b
}

func (p *parameters) tags(name, otherwise string, ofEdges bool) []view.By {
	var all []view.By
	for _, text := range p.list(name, otherwise) {
		b, ok := view.ParseBy(text)
		if !ok {
			p.fail(name, "unknown tag %q", text)
		} else if b.OfEdge() && !ofEdges {
			p.fail(name, "%q is a tag of edges, and none of a client", text)
		}
		all = append(all, b)
	}
	if len(all) < 1 || len(all) > view.MaxTags {
		p.fail(name, "must be 1 to %d tags", view.MaxTags)
		all = nil
	}
	return all
}

// level returns the tags that the clients of a series are drawn by. nil: none.
func (p *parameters) level() []view.By {
	if p.text("by", "") == "" {
		return nil
	}
	return p.tags("by", "", true)
}

func (p *parameters) metric(name, otherwise string) view.Metric {
	text := p.text(name, otherwise)
	m, ok := view.ParseMetric(text)
	if !ok {
		p.fail(name, "unknown metric %q", text)
	}
	return m
}

func (p *parameters) metrics(name, otherwise string) []view.Metric {
	all := []view.Metric{}
	for _, text := range p.list(name, otherwise) {
		m, ok := view.ParseMetric(text)
		if !ok || !m.Column() {
			p.fail(name, "unknown metric %q", text)
			return nil
		}
		if slices.ContainsFunc(all, func(other view.Metric) bool { return other.String() == m.String() }) {
			p.fail(name, "%q is there twice", text)
			return nil
		}
		all = append(all, m)
	}
	return all
}

func (p *parameters) sort() view.Sort {
	text, descend := strings.CutPrefix(p.text("sort", "-volume"), "-")
	s := view.Sort{Descend: descend}
	switch text {
	case "client", "server":
		s.Names, s.Server = true, text == "server"
		return s
	case "cost":
		s.Cost = true
		return s
	}
	var ok bool
	if s.By, ok = view.ParseMetric(text); !ok {
		p.fail("sort", "unknown metric %q", text)
	}
	return s
}

func (p *parameters) spark() *view.Metric {
	text := p.text("spark", "volume")
	switch text {
	case "none", "":
		return nil
	case "volume", "tx", "rx", "retransmits", "attempts", "failures", "active":
		m, _ := view.ParseMetric(text)
		return &m
	}
	p.fail("spark", "there is no sparkline of %q", text)
	return nil
}

// span returns the requested range of time.
func (p *parameters) span(s snap.Source) snap.Range {
	spans := s.Spans()
	window := p.number("window", spans[0].Length, spans[0].Step, spans.Longest())
	end := p.text("end", "")
	if end == "" {
		return s.Range(window, 0)
	}
	at, err := strconv.ParseFloat(end, 64)
	if err != nil || math.IsNaN(at) || at < 0 || at > 1<<40 {
		p.fail("end", "must be a time in Unix seconds")
		return s.Range(window, 0)
	}
	return s.Range(window, max(1, int64(at)))
}

// query returns what several requests have in common.
func (p *parameters) query(s snap.Source) view.Query {
	f, err := filter.Parse(p.text("filter", ""))
	var wrong *filter.Error
	if errors.As(err, &wrong) {
		if p.err == nil {
			p.err = apiError{Code: "bad_filter", Message: wrong.Message, Field: "filter", Offset: &wrong.Offset}
		}
		f = new(filter.Filter)
	}
	q := view.Query{
		Filter: f, Problems: p.flag("problems"), Loops: p.flag("loops"),
		New: p.number("new", 900, 0, s.Spans().Longest()),
	}
	for _, name := range p.list("only", "") {
		flag, ok := view.ParseFlag(name)
		if !ok {
			p.fail("only", "unknown flag %q", name)
		}
		q.Only |= flag
	}
	return q
}

// finish returns what is wrong with the request.
func (p *parameters) finish() error {
	for name := range p.given {
		if !slices.Contains(p.known, name) {
			p.fail(name, "is not a parameter of this request")
		}
	}
	return p.err
}

package history

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netconn/netconn/internal/names"
)

const (
	day      = 86400
	baseline = 3600 // how old the value before a window may be, in seconds
	present  = 300  // how long a number of open connections holds without a new point
)

// queries writes PromQL about the metrics of a store.
type queries struct {
	naming
	matchers []string // of all selectors
	either   []string // matchers, of which a series has to fulfil one
	edges    string   // matcher of the names of series that have all edges
	exact    bool     // increase() does not extrapolate
	missing  string   // what the store says is missing of its metrics
}

var (
	plain = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	odd   = regexp.MustCompile(`[^a-zA-Z0-9_]`)
)

// quote returns a string literal of PromQL. All of its escapes are Go's.
func quote(s string) string { return strconv.Quote(s) }

// name returns the name of a label. Prometheus takes any name in quotes, from version 3 on; VictoriaMetrics takes any
// character after a backslash.
func (q *queries) name(label string) string {
	switch {
	case plain.MatchString(label):
		return label
	case q.exact:
		return odd.ReplaceAllString(label, `\$0`)
	}
	return quote(label)
}

// restrict returns the matchers of labels that all series must have, in the order of their names.
func (q *queries) restrict(labels map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, q.name(name)+"="+quote(labels[name]))
	}
	return all
}

// selector returns the selector of a metric.
func (q *queries) selector(m metric) string { return q.selectorOf(q.metrics[m]) }

func (q *queries) selectorOf(name string) string {
	return "{" + strings.Join(append([]string{"__name__=" + quote(name)}, q.matchers...), ",") + "}"
}

// all returns the selector of series that have all edges.
func (q *queries) all() string {
	return "{" + strings.Join(append([]string{"__name__" + q.edges}, q.matchers...), ",") + "}"
}

// list returns the labels of attributes, as a clause has them.
func (q *queries) list(attributes []string) string {
	labels := make([]string, len(attributes))
	for i, a := range attributes {
		labels[i] = q.name(q.label(a))
	}
	slices.Sort(labels)
	return strings.Join(labels, ",")
}

// by adds up an expression by attributes.
func (q *queries) by(attributes []string, expression string) string {
	return "sum by (" + q.list(attributes) + ") (" + expression + ")"
}

// over returns the range of a selector that ends so many seconds before the query is evaluated.
func over(selector string, window, offset int64) string {
	if offset == 0 {
		return fmt.Sprintf("%s[%ds]", selector, window)
	}
	return fmt.Sprintf("%s[%ds] offset %ds", selector, window, offset)
}

// increase returns what the series of a counter have counted in a window that ends offset seconds before the query is
// evaluated.
//
// VictoriaMetrics' increase() is the difference to the value before the window, with resets. Prometheus' extrapolates
// to the borders of the window, which makes up to an interval of traffic that was not there, and needs two points. So
// the difference is taken from the highest value: to the last one before the window, or, for a series that began in the
// window, to the lowest. A series that began anew once, with a lower value than before, has counted the last value too.
// What is left are series that began anew more often: only these are extrapolated.
func (q *queries) increase(m metric, window, offset int64) string {
	s := q.selector(m)
	in := func(function string) string { return function + "(" + over(s, window, offset) + ")" }
	if q.exact {
		return in("increase")
	}
	before := "last_over_time(" + over(s, baseline, window+offset) + ")"
	highest, lowest, last, resets := in("max_over_time"), in("min_over_time"), in("last_over_time"), in("resets")
	return fmt.Sprintf(
		"((%[1]s - ((%[2]s <= %[3]s) or (%[3]s unless %[2]s) or %[3]s * 0)) unless (%[5]s > 0))"+
			" or ((%[1]s - ((%[2]s <= %[1]s) or %[3]s * 0) + %[4]s) and (%[5]s == 1) and (%[1]s > %[4]s))"+
			" or %[6]s",
		highest, before, lowest, last, resets, in("increase"))
}

// counted returns the query of a metric in a window that ends when it is evaluated, by report.
func (q *queries) counted(m metric, window int64) string {
	return q.alternatives(func(q *queries) string {
		if m == active {
			return q.by(labelsOf(m), fmt.Sprintf("last_over_time(%s[%ds])", q.selector(m), min(window, present)))
		}
		return q.by(labelsOf(m), q.increase(m, window, 0))
	})
}

// recordedBy returns the query of a recorded series, in a window that ends when it is evaluated, by attributes.
func (q *queries) recordedBy(attributes []string, function, name string, window int64) string {
	return q.alternatives(func(q *queries) string {
		return q.by(attributes, fmt.Sprintf("%s(%s[%ds])", function, q.selectorOf(name), window))
	})
}

// labelsOf are those by which a metric is added up.
func labelsOf(m metric) []string {
	switch m {
	case volume:
		return append(reportLabels(), names.Direction)
	case attempts, closed:
		return append(reportLabels(), names.ErrorType)
	}
	return reportLabels()
}

// before returns the query of the edges that were there in the day before a window.
func (q *queries) before(name string, window int64) string {
	return q.alternatives(func(q *queries) string {
		return q.by(edgeLabels(), fmt.Sprintf("last_over_time(%s[%ds] offset %ds)", q.selectorOf(name), day, window))
	})
}

// anyBefore returns the query of how many series of edges there were in the day before a window.
func (q *queries) anyBefore(name string, window int64) string {
	return fmt.Sprintf("count(last_over_time(%s[%ds] offset %ds))", q.selectorOf(name), day, window)
}

// maxMatcher is how many bytes a matcher may have that restricts a query to some ends. VictoriaMetrics takes queries of
// 16 kB.
const maxMatcher = 5 << 10

// about returns the queries of series with one of these values of an attribute. If these are too many, it does not
// restrict them: more is asked for than needed then.
func (q queries) about(attribute string, values []string) queries {
	return q.with([]string{q.among(q.label(attribute), values)})
}

package history

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A valuesKey is the values of a label of some series in a range.
type valuesKey struct {
	selector, label string
	snap.Range
}

// narrowed are the labels that the tags of a want are in. Both reports of an edge have the same value of these, so a
// query that is narrowed by them leaves out both or none.
var narrowed = map[names.Tag]names.Tag{
	names.TagNamespace: names.TagNamespace, names.TagName: names.TagName, names.TagWorkload: names.TagName,
}

// narrow returns the queries of series that can fulfil the wants. The values in them are the store's own. What cannot
// be expressed is left out: more is asked for than needed then.
func (s *Source) narrow(ctx context.Context, q *queries, r snap.Range, to int64, wants []snap.Want) (*queries, error) {
	all := *q
	for _, w := range wants {
		tag, known := narrowed[w.Tag]
		if !known || w.Holds(edge.Value{}) {
			continue // an end without the tag has no label
		}
		var found []string
		for prefix, asked := range map[string]bool{clientPrefix: w.Client, serverPrefix: w.Server} {
			if !asked {
				continue
			}
			matcher, err := s.matcher(ctx, q, r, to, prefix+tag.String(), w.Holds)
			if err != nil {
				return nil, err
			}
			found = append(found, matcher)
		}
		slices.Sort(found)
		all = all.with(found)
	}
	return &all, nil
}

// wide returns the queries of all series.
func (s *Source) wide(q *queries) queries {
	all := *q
	all.matchers, all.either = all.restrict(s.config.Labels), nil
	return all
}

// matcher returns the matcher of the values of an attribute that hold; empty if they are too many.
func (s *Source) matcher(
	ctx context.Context, q *queries, r snap.Range, to int64, attribute string, holds func(edge.Value) bool,
) (string, error) {
	label := q.label(attribute)
	values, err := s.values.get(ctx, valuesKey{q.all(), label, r}, func(ctx context.Context) ([]string, error) {
		found, _, err := s.client.values(ctx, label, q.all(), r.From, to)
		return found, err
	})
	if err != nil {
		return "", err
	}
	var those []string
	for _, v := range values {
		if holds(edge.Text(v)) {
			those = append(those, v)
		}
	}
	if len(those) == 0 {
		return q.name(label) + `="",` + q.name(label) + `!=""`, nil // nothing
	}
	return q.among(label, those), nil
}

// among returns the matcher of values of a label; empty if it is too long.
func (q *queries) among(label string, values []string) string {
	slices.Sort(values)
	values = slices.Compact(values)
	for i, v := range values {
		values[i] = regexp.QuoteMeta(v)
	}
	matcher := q.name(label) + "=~" + quote(strings.Join(values, "|"))
	if len(matcher) > maxMatcher || len(values) == 0 {
		return ""
	}
	return matcher
}

// with returns the queries of series that fulfil one of these matchers too. PromQL has no alternatives in a selector,
// so there are at most two expressions, for one want.
func (q queries) with(matchers []string) queries {
	switch {
	case slices.Contains(matchers, ""):
	case len(matchers) == 1:
		q.matchers = append(slices.Clone(q.matchers), matchers...)
	case len(q.either) == 0:
		q.either = matchers
	}
	return q
}

// alternatives returns an expression of all series that the queries are about. The expressions of alternatives have the
// same values where they have the same labels.
func (q *queries) alternatives(expression func(*queries) string) string {
	if len(q.either) == 0 {
		return expression(q)
	}
	all := make([]string, len(q.either))
	for i, matcher := range q.either {
		one := *q
		one.either, one.matchers = nil, append(slices.Clone(q.matchers), matcher)
		all[i] = expression(&one)
	}
	return strings.Join(all, " or ")
}

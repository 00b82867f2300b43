package view

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// TagList is the answer with all tags.
type TagList struct {
	Tags []TagUse `json:"tags"`
}

// TagUse is a tag, with the numbers of ends that have it and of its values.
type TagUse struct {
	Tag       string `json:"tag"`
	Attribute string `json:"attribute"`
	Of        string `json:"of"` // end or edge
	Ends      int    `json:"ends"`
	Values    int    `json:"values"`
}

// NewTagList counts ends and values of all tags.
func NewTagList(snapshot *snap.Snapshot) *TagList {
	answer := &TagList{}
	ends := make(map[*edge.End]bool)
	var ofEdges [names.EdgeTags]map[edge.Value]bool
	for t := range ofEdges {
		ofEdges[t] = make(map[edge.Value]bool)
	}
	for i := range snapshot.Edges {
		e := &snapshot.Edges[i]
		ends[e.Client], ends[e.Server] = true, true
		for t := range names.EdgeTags {
			if v := e.Link.Value(t); v != (edge.Value{}) {
				ofEdges[t][v] = true
			}
		}
	}
	for t := range names.Tags {
		use := TagUse{Tag: t.String(), Attribute: t.Attribute(), Of: "end"}
		values := make(map[edge.Value]bool)
		for e := range ends {
			if e.Has(t) {
				use.Ends++
				values[e[t]] = true
			}
		}
		use.Values = len(values)
		answer.Tags = append(answer.Tags, use)
	}
	for t := range names.EdgeTags {
		use := TagUse{Tag: t.String(), Attribute: t.Attribute(), Of: "edge", Values: len(ofEdges[t])}
		answer.Tags = append(answer.Tags, use)
	}
	return answer
}

// ValuesQuery selects values of a tag.
type ValuesQuery struct {
	Query
	By             By
	Client, Server bool   // values of these ends
	Search         string // anywhere in a value, in any case
	Limit          int
}

// TagValues is the answer with the values of a tag.
type TagValues struct {
	Values []TagValue `json:"values"`
	More   bool       `json:"more"`
}

// TagValue is a value, with the edges that have it.
type TagValue struct {
	Value  string `json:"value"`
	Edges  int    `json:"edges"`
	Volume uint64 `json:"volume"`
}

// NewTagValues finds the values of a tag, those with most volume first. The error is that of the context.
func NewTagValues(ctx context.Context, snapshot *snap.Snapshot, q ValuesQuery) (*TagValues, error) {
	found := make(map[edge.Value]*TagValue)
	search := edge.Fold(q.Search)
	count := func(v edge.Value, e *snap.Edge) {
		if v == (edge.Value{}) || search != "" && !strings.Contains(v.Folded(), search) {
			return
		}
		if found[v] == nil {
			found[v] = &TagValue{Value: v.String()}
		}
		found[v].Edges++
		found[v].Volume += e.Tx + e.Rx
	}
	err := q.each(ctx, snapshot, func(_ int, e *snap.Edge) {
		c, s := q.By.value(e.Client, &e.Link, false), q.By.value(e.Server, &e.Link, true)
		if q.Client {
			count(c, e)
		}
		if q.Server && (!q.Client || c != s) {
			count(s, e)
		}
	})
	if err != nil {
		return nil, err
	}
	answer := &TagValues{Values: []TagValue{}}
	for _, v := range found {
		answer.Values = append(answer.Values, *v)
	}
	slices.SortFunc(answer.Values, func(a, b TagValue) int {
		return cmp.Or(cmp.Compare(b.Volume, a.Volume), strings.Compare(a.Value, b.Value))
	})
	if len(answer.Values) > q.Limit {
		answer.Values, answer.More = answer.Values[:q.Limit], true
	}
	return answer, nil
}

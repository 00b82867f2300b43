package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/store"
)

// TagList is the answer with all tags.
type TagList struct {
	Tags []TagUse `json:"tags"`
}

// TagUse is a tag and how much it is used.
type TagUse struct {
	Tag       string `json:"tag"`
	Attribute string `json:"attribute"`
	Of        string `json:"of"` // end or edge
	Ends      int    `json:"ends"`
	Values    int    `json:"values"`
}

// NewTagList counts ends and values of all tags.
func NewTagList(snap *store.Snapshot) *TagList {
	answer := &TagList{}
	ends := make(map[*edge.End]bool)
	var ofEdges [edge.LinkTags]map[edge.Value]bool
	for i := range snap.Edges {
		e := &snap.Edges[i]
		ends[e.Client], ends[e.Server] = true, true
		for t := range edge.LinkTags {
			if v := e.Link.Value(t); v != (edge.Value{}) {
				if ofEdges[t] == nil {
					ofEdges[t] = make(map[edge.Value]bool)
				}
				ofEdges[t][v] = true
			}
		}
	}
	for t := range edge.Tags {
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
	for t := range edge.LinkTags {
		answer.Tags = append(answer.Tags, TagUse{Tag: t.String(), Attribute: t.Attribute(), Of: "edge", Values: len(ofEdges[t])})
	}
	return answer
}

// ValuesQuery is what values are looked for by.
type ValuesQuery struct {
	Query
	By             By
	Client, Server bool   // of which ends
	Search         string // anywhere in a value; ASCII letters in any case
	Limit          int
}

// TagValues is the answer with the values of a tag.
type TagValues struct {
	Values []TagValue `json:"values"`
	More   bool       `json:"more"`
}

// TagValue is one value.
type TagValue struct {
	Value  string `json:"value"`
	Edges  int    `json:"edges"`
	Volume uint64 `json:"volume"`
}

// NewTagValues finds the values of a tag.
func NewTagValues(snap *store.Snapshot, q ValuesQuery) *TagValues {
	found := make(map[edge.Value]*TagValue)
	search := strings.ToLower(q.Search)
	count := func(v edge.Value, e *store.Edge) {
		if v == (edge.Value{}) || search != "" && !strings.Contains(strings.ToLower(v.String()), search) {
			return
		}
		if found[v] == nil {
			found[v] = &TagValue{Value: v.String()}
		}
		found[v].Edges++
		found[v].Volume += e.Tx + e.Rx
	}
	for i := range snap.Edges {
		e := &snap.Edges[i]
		if !q.lets(snap, e) {
			continue
		}
		c, s := q.By.value(e.Client, &e.Link, false), q.By.value(e.Server, &e.Link, true)
		if q.Client {
			count(c, e)
		}
		if q.Server && (!q.Client || c != s) {
			count(s, e)
		}
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
	return answer
}

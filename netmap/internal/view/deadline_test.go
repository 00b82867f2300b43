package view

import (
	"context"
	"errors"
	"testing"

	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
)

func graphOf(t *testing.T, s *snap.Snapshot, q GraphQuery) *Graph {
	t.Helper()
	g, err := NewGraph(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func valuesOf(t *testing.T, s *snap.Snapshot, q ValuesQuery) *TagValues {
	t.Helper()
	v, err := NewTagValues(t.Context(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// countdown is a context that ends when it has been checked so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// An answer stops in the middle of the edges if its context has ended, and is not sent in part.
func TestAnAnswerStopsWithItsContext(t *testing.T) {
	w := ofTags(t, "name", "web", "type", "pod")
	var edges []snap.Edge
	for i := range 10 * checkEvery {
		edges = append(edges, calls(w, w, uint16(i+1), 1))
	}
	s := snapshotOf(edges...)
	name, volume := by(t, "name"), metric(t, "volume")
	for what, answer := range map[string]func(context.Context) (bool, error){
		"graph": func(ctx context.Context) (bool, error) {
			q := GraphQuery{Query: Query{Filter: parse(t, "web")}, By: name, Group: None, Rank: volume, Nodes: 9, Edges: 9}
			g, err := NewGraph(ctx, s, q)
			return g != nil, err
		},
		"flows": func(ctx context.Context) (bool, error) {
			q := FlowsQuery{Query: Query{Filter: parse(t, "web")}, Clients: []By{name}, Servers: []By{name}, Sort: Sort{By: volume}}
			f, err := NewFlows(ctx, s, q)
			return f != nil, err
		},
		"series": func(ctx context.Context) (bool, error) {
			f, err := NewSeries(ctx, s, Query{Filter: parse(t, "web")}, 1)
			return f != nil, err
		},
		"values": func(ctx context.Context) (bool, error) {
			v, err := NewTagValues(ctx, s, ValuesQuery{Query: Query{Filter: new(filter.Filter)}, By: name, Limit: 1})
			return v != nil, err
		},
	} {
		if there, err := answer(&countdown{t.Context(), 9}); there || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: answered %v, error %v; want the error of the context", what, there, err)
		}
		if there, err := answer(&countdown{t.Context(), 1000}); !there || err != nil {
			t.Errorf("%s: answered %v, error %v", what, there, err)
		}
	}
}

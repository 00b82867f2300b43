//go:build linux

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/testnet"
)

func newPair(t *testing.T) *lab.Pair {
	t.Helper()
	p, err := lab.NewPair()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestComparison(t *testing.T) {
	var r comparison
	r.add(slice{Rate: 1000, CPU: 2e-6, P99: 1e-5}, slice{Rate: 900, CPU: 3e-6, P99: 4e-5})
	r.add(slice{Rate: 500, CPU: 4e-6, P99: 3e-5}, slice{Rate: 500, CPU: 2e-6, P99: 3e-5})
	want := comparison{
		alone: []slice{{Rate: 1000, CPU: 2e-6, P99: 1e-5}, {Rate: 500, CPU: 4e-6, P99: 3e-5}},
		rate:  []float64{0.9, 1}, cpu: []float64{1.5, 0.5}, p99: []float64{4, 1},
	}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(comparison{}), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
	if got, want := alone(r.alone), "750/s, 3.00 us, p99 20.0 us"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The order of a comparison is A B B A, the guest is there for both Bs, and it leaves.
func TestCompareOrder(t *testing.T) {
	p := newPair(t)
	b := newBench(t)
	c, err := newCouples(p, b.load, churn, b.cores, lab.ServerAddress)
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	g := guest{"somebody", func() (func() error, error) {
		story = append(story, "came")
		return func() error { story = append(story, "left"); return nil }, nil
	}}
	r, err := b.compare(c, g)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"came", "left"}, story); diff != "" {
		t.Error(diff)
	}
	for i, alone := range r.alone {
		if alone.Operations == 0 || alone.Rate <= 0 || alone.CPU <= 0 || alone.P99 <= 0 || r.rate[i] <= 0 || r.cpu[i] <= 0 || r.p99[i] <= 0 {
			t.Errorf("pair %d measured nothing: %+v", i, alone)
		}
	}
	if len(r.rate) != b.pairs {
		t.Errorf("got %d pairs, want %d", len(r.rate), b.pairs)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestCompareTellsWhoFailed(t *testing.T) {
	b := newBench(t)
	c, err := newCouples(newPair(t), b.load, request, b.cores, lab.ServerAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	_, err = b.compare(c, guest{"somebody", func() (func() error, error) { return nil, errors.New("ill") }})
	if err == nil || !strings.Contains(err.Error(), "somebody: ill") {
		t.Errorf("got %v", err)
	}
}

func TestPathGoals(t *testing.T) {
	quiet := &comparison{rate: []float64{0.99, 1, 1.01}, cpu: []float64{0.99, 1, 1.01}}
	slow := &comparison{rate: []float64{0.9, 0.91, 0.92}, cpu: []float64{1.1, 1.11, 1.12}}
	verdicts := func(goals []goal) (all []string) {
		for _, g := range goals {
			all = append(all, g.verdict())
		}
		return all
	}
	for name, c := range map[string]struct {
		of   workload
		with *comparison
		want []string
	}{
		"nothing":            {request, quiet, []string{"yes: the aim", "yes: the aim"}},
		"as noise":           {bulk, &comparison{rate: []float64{0.992}, cpu: []float64{1.007}}, []string{"yes", "yes"}},
		"apart from noise":   {bulk, slow, []string{"**no**", "**no**"}},
		"churn has a limit":  {churn, slow, []string{"**no**", "**no**"}},
		"churn within limit": {churn, &comparison{rate: []float64{0.975}, cpu: []float64{1.03}}, []string{"yes", "yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, verdicts(pathGoals(c.of, c.with, quiet))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

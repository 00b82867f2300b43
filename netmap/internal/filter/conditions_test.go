package filter

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A filter is within tags if none of its terms depends on anything else, whichever way the term holds.
func TestWithin(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "namespace=a": true, "client.namespace!=a server.type=pod,host": true, "!kind=external namespace=": true,
		"namespace=a name=b": false, "shop": false, "!shop": false, "port=80": false, "client.zone!=a": false, "workload=a*": false,
	} {
		f, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Within(names.TagNamespace, names.TagType); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// Every edge that matches a filter fulfils its conditions.
func TestConditions(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "shop": nil, "!namespace=a": nil, "namespace!=a": nil, "port=80": nil, "kind=pod": nil,
		"namespace=A":                       {"true true namespace true false"},
		"client.name=a* server.zone=b":      {"true false name true true", "false true zone false false"},
		`workload="a","b" -service=c cart`:  {"true true workload true false"},
		"server.namespace=b,a !pod=x pod=a": {"false true namespace true false", "true true pod true false"},
	} {
		f, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range f.Conditions() {
			got = append(got, fmt.Sprint(c.Client, " ", c.Server, " ", c.Tag, " ", c.Holds(edge.Text("a")), " ", c.Holds(edge.Text("ax"))))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

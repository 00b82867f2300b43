//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// accuracyVariable names the file that TestAccuracy writes.
const accuracyVariable = "NETCONN_ACCURACY"

// A meshEdge is the connections of one kind between two processes of a mesh, as the processes counted them and as
// netconn reported them from both ends. A counted figure is one end's; a reported figure is the sum of both ends'
// reports.
type meshEdge struct {
	client, server, nat     string
	port                    int
	connections, bytes      int64 // counted
	reported, reportedBytes int64 // in exactly the right series
}

// An accuracy is the comparison of one mesh.
type accuracy struct {
	name  string
	edges []meshEdge
	// Of all ends: counted, reported in the right series, reported as unresolved, reported in any other series.
	counted, right, unresolved, wrong int64
	bytes, reportedBytes              int64
}

// TestAccuracy compares, for each rule set and mode of a mesh, what the processes counted with what netconn reported,
// and writes the comparison as Markdown. It fails where an end is wrong or a byte is off, and writes that too.
func TestAccuracy(t *testing.T) {
	path := os.Getenv(accuracyVariable)
	if path == "" {
		t.Skip("writes a document: make accuracy")
	}
	variants := variantsIn(t, mesh.Own())
	if _, err := os.Stat(sharedRules); err == nil {
		variants = append(variants, variantsIn(t, os.DirFS(sharedRules))...)
	}
	rules := rulesNamed(t, "sidecar-redirect.nft")
	for name, change := range map[string]func(*bookinfo.Options){
		"no sidecars":                  func(o *bookinfo.Options) { o.Rules = nil },
		"sidecars, connections kept":   func(o *bookinfo.Options) { o.Keep = true },
		"sidecars that carry requests": func(o *bookinfo.Options) { o.Sidecar.HTTP, o.Keep = true, true },
	} {
		o := bookinfo.Options{Rules: &rules}
		change(&o)
		variants = append(variants, bookinfo.Variant{Name: name, Options: o})
	}
	slices.SortStableFunc(variants, func(a, b bookinfo.Variant) int { return cmp.Compare(a.Name, b.Name) })
	var all []accuracy
	for _, v := range variants {
		t.Run(v.Name, func(t *testing.T) {
			a := compareMesh(t, v)
			if err := a.check(); err != nil {
				t.Error(err)
			}
			all = append(all, a)
		})
	}
	if err := os.WriteFile(path, []byte(accuracyDocument(all)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compareMesh runs a mesh until netconn has reported as many ends as there are, or for 20 s, and three collections
// more.
func compareMesh(t *testing.T, v bookinfo.Variant) accuracy {
	t.Helper()
	sink := newSink(t)
	run(t, setup{Receiver: []string{"collection_interval: 500ms", meshMetrics()}, OTLP: sink.address})
	sink.next(1)
	w := newBookinfo(t, v.Options)
	if err := w.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return w.Balanced() == nil })
	hops := hopsOf(t, w, v.Options)
	want := expect(hops)
	pollFor(20*time.Second, func() bool { return want.differ(sink.latest().countsOf(want)) == "" })
	sink.next(3)
	return compareCounts(v.Name, hops, want, sink.latest().countsOf(want))
}

// compareCounts compares what the processes counted with what was reported.
func compareCounts(name string, hops []hop, want, got counts) accuracy {
	a := accuracy{name: name}
	for key, series := range got {
		for s, n := range series {
			if metricOf(s) != "netconn.attempts" {
				continue
			}
			right := min(n, want[key][s])
			a.right += right
			if strings.Contains(s, "netconn.nat=unresolved") {
				a.unresolved += n - right
			} else {
				a.wrong += n - right
			}
		}
	}
	for key, series := range want {
		for s, n := range series {
			switch metricOf(s) {
			case "netconn.attempts":
				a.counted += n
			case "netconn.io":
				a.bytes += n
			}
		}
		for s, n := range got[key] {
			if metricOf(s) == "netconn.io" {
				a.reportedBytes += n
			}
		}
	}
	a.edges = meshEdges(hops, got)
	return a
}

// check returns an error where netconn has reported something that did not happen, or has missed something.
func (a accuracy) check() error {
	if off := a.reportedBytes - a.bytes; a.wrong != 0 || off != 0 || a.right+a.unresolved != a.counted {
		return fmt.Errorf("of %d ends %d are right, %d unresolved and %d wrong; %d bytes are off", a.counted, a.right, a.unresolved, a.wrong, off)
	}
	return nil
}

// meshEdges compares hop by hop: a hop's own series are those that expect has for it alone.
func meshEdges(hops []hop, got counts) []meshEdge {
	var all []meshEdge
	for _, h := range hops {
		e := meshEdge{client: h.client.name, server: h.server.name, nat: h.nat, port: h.port,
			connections: int64(h.connections), bytes: h.there + h.back}
		for key, series := range expect([]hop{h}) {
			for s, n := range series {
				switch metricOf(s) {
				case "netconn.attempts":
					e.reported += min(n, got[key][s])
				case "netconn.io":
					e.reportedBytes += min(n, got[key][s])
				}
			}
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b meshEdge) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.server, b.server), cmp.Compare(a.nat, b.nat))
	})
	return all
}

func accuracyDocument(all []accuracy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Accuracy\n\n`make accuracy` writes this page. A mesh of real processes, namespaces and rules answers %d requests\n"+
		"for each set of rules. Every process counts its own connections and bytes; netconn reports both ends of\n"+
		"each connection. An end is right if its peer, its translation, its original destination and its port are.\n\n"+
		"| rules | edges | ends counted | right | unresolved | wrong | bytes counted | bytes off |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- |\n", requests)
	for _, a := range all {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %d |\n", a.name, len(a.edges), a.counted, a.right, a.unresolved, a.wrong,
			a.bytes, a.reportedBytes-a.bytes)
	}
	for _, a := range all {
		fmt.Fprintf(&b, "\n## %s\n\n| client | server | port | translation | connections | reported, both ends | bytes | reported, both ends |\n"+
			"| --- | --- | --- | --- | --- | --- | --- | --- |\n", a.name)
		for _, e := range a.edges {
			name, _, _ := strings.Cut(e.client, "client")
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %d | %d | %d | %d |\n", cmp.Or(name, "client"), e.server, e.port, e.nat, e.connections,
				e.reported, e.bytes, e.reportedBytes)
		}
	}
	return b.String()
}

//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A meshEdge is the connections of one kind between two processes, as the processes counted them and as netconn
// reported them. A counted figure is one end's; a reported figure is the sum of both ends' reports.
type meshEdge struct {
	client, server, nat     string
	port                    int
	connections, bytes      int64 // counted
	reported, reportedBytes int64 // in exactly the right series
}

// An accuracy is the comparison of one mesh or translation. Ends are counted by attempts, and all figures are sums over
// both ends.
type accuracy struct {
	name  string
	edges []meshEdge

	counted, right, unresolved, wrong int64
	bytes, reportedBytes, wrongBytes  int64 // wrongBytes: reported in another series than the right one
	difference                        string
	reason                            string // why ends may be unresolved; empty: none may
}

// compareCounts compares what the processes counted with what was reported.
func compareCounts(name string, hops []hop, want, got counts) accuracy {
	a := accuracy{name: name, edges: meshEdges(hops, got), difference: want.differ(got)}
	for _, series := range want {
		for s, n := range series {
			switch metricOf(s) {
			case "netconn.attempts":
				a.counted += n
			case "netconn.io":
				a.bytes += n
			}
		}
	}
	for key, series := range got {
		for s, n := range series {
			right := min(n, want[key][s])
			switch metricOf(s) {
			case "netconn.attempts":
				a.right += right
				if strings.Contains(s, "netconn.nat=unresolved") {
					a.unresolved += n - right
				} else {
					a.wrong += n - right
				}
			case "netconn.io":
				a.reportedBytes += n
				a.wrongBytes += n - right
			}
		}
	}
	return a
}

// check returns an error if netconn has reported something that did not happen, or has missed something.
func (a accuracy) check() error {
	off := a.reportedBytes - a.bytes
	if a.reason != "" && a.wrong == 0 && off == 0 && a.right+a.unresolved == a.counted {
		return nil // bytes of what is unresolved are in another series
	}
	if a.right != a.counted || a.wrong != 0 || off != 0 || a.wrongBytes != 0 {
		return fmt.Errorf("of %d ends %d are right, %d unresolved and %d wrong; %d bytes are off, %d in a wrong series",
			a.counted, a.right, a.unresolved, a.wrong, off, a.wrongBytes)
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

// A document is the page that `make accuracy` writes.
type document struct {
	meshes, translations []accuracy
	exchanges            []exchanged
}

func (d document) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Accuracy

`+"`make accuracy`"+` writes this page. Every process counts its own connections and bytes, and netconn
reports both ends of each connection. An end is right if its peer, its translation, its original
destination and its port are. A byte is off if it is in no series, or in two; it is misplaced if it
is in another series than that of its connection.

## Meshes

A mesh of real processes, namespaces and rules answers %d requests for each set of rules, and 120
requests where several are sent at once. The rules named istio18 and istio130 were written by those
versions of Istio, the rules named kube-proxy by kube-proxy.

`, requests)
	summary(&b, "rules", d.meshes)
	b.WriteString(`
## Single translations

Three connections from one process to another, one of which stays open.

`)
	summary(&b, "case", d.translations)
	exchanges(&b, d.exchanges)
	b.WriteString("\n## Edges of the meshes\n")
	for _, a := range d.meshes {
		a.write(&b)
	}
	return b.String()
}

func summary(b *strings.Builder, first string, all []accuracy) {
	fmt.Fprintf(b, "| %s | edges | ends counted | right | unresolved | wrong | bytes counted | off | misplaced |\n"+
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n", first)
	for _, a := range all {
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", a.name, len(a.edges), a.counted, a.right,
			a.unresolved, a.wrong, a.bytes, a.reportedBytes-a.bytes, a.wrongBytes)
	}
	for _, a := range all {
		if a.reason != "" {
			fmt.Fprintf(b, "\nIn the row %q ends are unresolved: %s.\n", a.name, a.reason)
		}
	}
}

func (a accuracy) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n| client | server | port | translation | connections | reported, both ends | bytes | "+
		"reported, both ends |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n", a.name)
	for _, e := range a.edges {
		client := e.client
		if strings.HasPrefix(client, "client") { // the test gives it a name of its own
			client = "client"
		}
		fmt.Fprintf(b, "| %s | %s | %d | %s | %d | %d | %d | %d |\n", client, e.server, e.port, e.nat, e.connections,
			e.reported, e.bytes, e.reportedBytes)
	}
}

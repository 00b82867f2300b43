//go:build linux

package e2e

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// accuracyVariable names the file that TestAccuracy writes.
const accuracyVariable = "NETCONN_ACCURACY"

// TestAccuracy compares what the processes of a mesh counted with what netconn reported, for each rule set, mode and
// single translation, and writes the comparison as Markdown. It fails where an end is wrong, unresolved without a
// reason, or a byte is off, and writes that too.
func TestAccuracy(t *testing.T) {
	path := os.Getenv(accuracyVariable)
	if path == "" {
		t.Skip("writes a document: make accuracy")
	}
	if !filepath.IsAbs(path) {
		t.Fatalf("%s=%s is not an absolute path", accuracyVariable, path)
	}
	d := document{
		meshes:       compareModes(t, append(ruleSets(t), modes(t)...)),
		translations: compareTranslations(t),
		exchanges:    compareExchanges(t),
	}
	if err := os.WriteFile(path, []byte(d.markdown()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A mode is a way to make a mesh and to send requests through it.
type mode struct {
	bookinfo.Variant
	prepare func(*testing.T, *bookinfo.Deployment) // nil: nothing
	drive   func(*testing.T, *meshRun)             // nil: one request after another
	reason  string                                 // why ends may be unresolved; empty: none may
}

// ruleSets returns a mode for each set of rules. Those that real programs wrote are not part of the project.
func ruleSets(t *testing.T) (all []mode) {
	t.Helper()
	variants := variantsIn(t, mesh.Own())
	if _, err := os.Stat(sharedRules); err == nil {
		variants = append(variants, variantsIn(t, os.DirFS(sharedRules))...)
	}
	slices.SortStableFunc(variants, func(a, b bookinfo.Variant) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range variants {
		all = append(all, mode{Variant: v})
	}
	return all
}

// modes returns what can happen to a mesh with the most common rules.
func modes(t *testing.T) []mode {
	t.Helper()
	rules := rulesNamed(t, "sidecar-redirect.nft")
	sidecars := bookinfo.Options{Rules: &rules}
	kept := bookinfo.Options{Rules: &rules, Keep: true}
	carried := bookinfo.Options{Rules: &rules, Keep: true}
	carried.Sidecar.HTTP = true
	of := func(name string, o bookinfo.Options) bookinfo.Variant {
		return bookinfo.Variant{Name: name, Options: o}
	}
	return []mode{
		{Variant: of("no sidecars", bookinfo.Options{})},
		{Variant: of("sidecars, connections kept", kept)},
		{Variant: of("sidecars that carry requests", carried)},
		{Variant: of("12 requests at once", sidecars), drive: atOnce(120)},
		{Variant: of("12 requests at once, no sidecars", bookinfo.Options{}), drive: atOnce(120)},
		{Variant: of("12 requests at once, 200 local ports", sidecars), prepare: fewPorts, drive: atOnce(120)},
		{Variant: of("netconn restarted in the middle", sidecars), drive: restartInTheMiddle},
		{Variant: of("entries deleted after each request", sidecars), drive: deleteEntries,
			reason: "conntrack is emptied before netconn can ask"},
	}
}

// atOnce sends requests, twelve at a time.
func atOnce(times int) func(*testing.T, *meshRun) {
	return func(t *testing.T, r *meshRun) {
		ask := program.Ask{URL: bookinfo.Front, Times: times, Parallel: 12}
		if err := r.mesh.Client().Ask(ask); err != nil {
			t.Fatal(err)
		}
	}
}

// fewPorts leaves each pod 200 local ports, so that connections to two services share a port. Where both are redirected
// to the sidecar, the kernel gives one of them another port.
func fewPorts(t *testing.T, w *bookinfo.Deployment) {
	for _, m := range w.Members {
		if m.Pod == nil {
			continue
		}
		if err := m.Pod.Sysctl("net.ipv4.ip_local_port_range", "40000 40199"); err != nil {
			t.Fatal(err)
		}
	}
}

// restartInTheMiddle sends half of the requests to one collector, and half to the next.
func restartInTheMiddle(t *testing.T, r *meshRun) {
	ask := func(times int) {
		if err := r.mesh.Ask(times); err != nil {
			t.Fatal(err)
		}
	}
	ask(requests / 2)
	until(t, "both ends of everything to agree", func() bool { return r.mesh.Balanced() == nil })
	r.sink.next(6)
	if err := r.collector.Stop(); err != nil {
		t.Fatal(err)
	}
	r.earlier = append(r.earlier, r.sink.latest())
	r.start(t)
	ask(requests - requests/2)
}

// deleteEntries empties the connection tracking of all pods and nodes after each request.
func deleteEntries(t *testing.T, r *meshRun) {
	for range requests {
		if err := r.mesh.Ask(1); err != nil {
			t.Fatal(err)
		}
		for _, n := range r.mesh.Nodes {
			if err := n.Command("conntrack", "-F"); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range r.mesh.Members {
			if m.Pod == nil {
				continue
			}
			if err := m.Pod.Command("conntrack", "-F"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A meshRun is one mesh with a collector.
type meshRun struct {
	sink      *sink
	collector *collector
	mesh      *bookinfo.Deployment
	earlier   []collection // the last ones of collectors that have ended
}

func (r *meshRun) start(t *testing.T) {
	t.Helper()
	r.collector = run(t, setup{Receiver: []string{"collection_interval: 500ms", meshMetrics()}, OTLP: r.sink.address})
	r.sink.next(1)
}

// counts returns what all collectors together have reported of what is wanted.
func (r *meshRun) counts(want counts) counts {
	sum := r.sink.latest().countsOf(want)
	for _, c := range r.earlier {
		for key, series := range c.countsOf(want) {
			for name, n := range series {
				sum[key][name] += n
			}
		}
	}
	return sum
}

func compareModes(t *testing.T, modes []mode) (all []accuracy) {
	t.Helper()
	for _, m := range modes {
		t.Run(m.Name, func(t *testing.T) {
			a := m.compare(t)
			a.reason = m.reason
			if err := a.check(); err != nil {
				t.Errorf("%v\n%s", err, a.difference)
			}
			all = append(all, a)
		})
	}
	return all
}

// compare runs a mesh until netconn has reported what there is, or for 20 s, and three collections more.
func (m mode) compare(t *testing.T) accuracy {
	t.Helper()
	r := &meshRun{sink: newSink(t)}
	r.start(t)
	r.mesh = newBookinfo(t, m.Options)
	if m.prepare != nil {
		m.prepare(t, r.mesh)
	}
	if m.drive != nil {
		m.drive(t, r)
	} else if err := r.mesh.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return r.mesh.Balanced() == nil })
	hops := hopsOf(t, r.mesh, m.Options)
	want := expect(hops)
	pollFor(20*time.Second, func() bool { return want.differ(r.counts(want)) == "" })
	r.sink.next(3)
	return compareCounts(m.Name, hops, want, r.counts(want))
}

func compareTranslations(t *testing.T) (all []accuracy) {
	t.Helper()
	cases := translations()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			s := newTestbed(t)
			tr := cases[name]
			if tr.rules != nil {
				tr.rules(s)
			}
			hops := []hop{tr.play(s)}
			want := expect(hops)
			pollFor(20*time.Second, func() bool { return want.differ(s.sink.latest().countsOf(want)) == "" })
			s.sink.next(3)
			a := compareCounts(name, hops, want, s.sink.latest().countsOf(want))
			if err := a.check(); err != nil {
				t.Errorf("%v\n%s", err, a.difference)
			}
			all = append(all, a)
		})
	}
	return all
}

//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/testnet/untraced"
)

// requests is how many requests the client of a mesh sends.
const requests = 20

// sharedRules is where rule sets that real programs wrote are, if they are there: beside the project.
const sharedRules = "../../../shared/rules"

// With sidecars that carry connections, and with sidecars that carry requests over connections that they keep, every
// hop of a request is reported with the exact connections and bytes that the processes themselves have counted, on both
// sides.
func TestMesh(t *testing.T) {
	for name, change := range map[string]func(*bookinfo.Options){
		"without sidecars": func(o *bookinfo.Options) { o.Rules = nil },
		"TCP":              func(*bookinfo.Options) {},
		"TCP, kept":        func(o *bookinfo.Options) { o.Keep = true },
		"HTTP":             func(o *bookinfo.Options) { o.Sidecar.HTTP = true },
		"HTTP, kept":       func(o *bookinfo.Options) { o.Sidecar.HTTP, o.Keep = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			rules := rulesNamed(t, "sidecar-redirect.nft")
			o := bookinfo.Options{Rules: &rules}
			change(&o)
			wantMesh(t, o)
		})
	}
}

// The same holds for every set of rules that there is. Those that real programs wrote are not part of the project.
func TestMeshRules(t *testing.T) {
	all := variantsIn(t, mesh.Own())
	if _, err := os.Stat(sharedRules); err == nil {
		all = append(all, variantsIn(t, os.DirFS(sharedRules))...)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) { wantMesh(t, v.Options) })
	}
}

func variantsIn(t *testing.T, dir fs.FS) []bookinfo.Variant {
	t.Helper()
	variants, err := bookinfo.Variants(dir)
	if err != nil {
		t.Fatal(err)
	}
	return variants
}

func rulesNamed(t *testing.T, name string) mesh.Family {
	t.Helper()
	f, err := mesh.FamilyNamed(mesh.Own(), name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantMesh has a mesh answer requests, and waits until the distribution reports every hop as the processes counted it.
func wantMesh(t *testing.T, o bookinfo.Options) {
	t.Helper()
	repeatHidden(t, func(t *testing.T) (hidden bool) {
		sink := newSink(t)
		run(t, setup{Receiver: []string{"collection_interval: 500ms", meshMetrics()}, OTLP: sink.address})
		sink.next(1)
		w := newBookinfo(t, o)
		packets := untraced.Watch(t, namespacesOf(w)...)
		if err := w.Ask(requests); err != nil {
			t.Fatal(err)
		}
		until(t, "both ends of everything to agree", func() bool { return w.Balanced() == nil })
		hidden = sink.wantOrHidden(expect(hopsOf(t, w, o)), 3, packets)
		checkHistory(t, sink.all())
		return hidden
	})
}

// namespacesOf returns the network namespaces of the members, each once.
func namespacesOf(w *bookinfo.Deployment) (all []*netns.Namespace) {
	for _, m := range w.Members {
		if !slices.Contains(all, m.Namespace) {
			all = append(all, m.Namespace)
		}
	}
	return all
}

func newBookinfo(t *testing.T, o bookinfo.Options) *bookinfo.Deployment {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a mesh needs root"))
	}
	o.Mesh.Name, o.Client = mesh.Unique("netconn-e2e"), fmt.Sprintf("client%x", randomBytes(4))
	w, err := bookinfo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// hopsOf returns what there was between the members. It takes the counts of who accepted, as those of who dialled do
// not know where a rule brought them.
func hopsOf(t *testing.T, w *bookinfo.Deployment, o bookinfo.Options) (all []hop) {
	t.Helper()
	for _, m := range w.Members {
		legs, err := m.Legs()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range legs {
			if l.Accepted {
				h := hopTo(w, o, m, l)
				h.server, h.connections, h.open, h.there, h.back = memberOf(m), l.Connections, l.Open, l.Received, l.Sent
				all = append(all, h)
			}
		}
	}
	return all
}

// hopTo returns the client of a member and the way between them.
func hopTo(w *bookinfo.Deployment, o bookinfo.Options, m bookinfo.Member, l program.Leg) hop {
	from := podAt(w, l.Remote.Addr())
	pod, proxied := m.Pod.Name, o.Rules != nil
	none := hop{port: int(l.Port), nat: "none"}
	switch {
	case m.Name == bookinfo.Gateway:
		// The client asked a node, which asked the gateway in its own name.
		return hop{client: memberOf(w.Client()), port: 8080, nat: "dnat+snat", original: netip.MustParseAddrPort("172.18.0.3:30080")}
	case m.Name == bookinfo.Ztunnel && l.Port == program.TunnelPort:
		none.client = memberOf(w.Find(tunnelOf(w, from), bookinfo.Ztunnel))
		return none
	case m.Name == bookinfo.Ztunnel: // from the application of the pod that it came to, or from outside the mesh
		return hop{client: memberOf(w.Find(from, appIn(from))), port: int(l.Original.Port()), nat: "redirect", original: l.Original}
	case m.Name == bookinfo.Envoy && from == pod:
		return hop{client: memberOf(w.Find(pod, appIn(pod))), port: int(l.Original.Port()), nat: "redirect", original: l.Original}
	case m.Name == bookinfo.Envoy && o.Sidecar.Transparent:
		return hop{client: memberOf(w.Proxy(from)), port: int(l.Original.Port()), nat: "tproxy"}
	case m.Name == bookinfo.Envoy:
		return hop{client: memberOf(w.Proxy(from)), port: int(l.Original.Port()), nat: "redirect", original: l.Original}
	case o.Ambient:
		none.client = memberOf(w.Find(tunnelOf(w, pod), bookinfo.Ztunnel))
		return none
	case proxied:
		none.client = memberOf(w.Find(pod, bookinfo.Envoy))
		return none
	case from == bookinfo.Gateway: // it knows where the pods are
		none.client = memberOf(w.Find(from, bookinfo.Gateway))
		return none
	}
	return hop{client: memberOf(w.Find(from, appIn(from))), port: 9080, nat: "dnat", original: w.Service(m.Name)}
}

// podAt returns the name of the pod with an address.
func podAt(w *bookinfo.Deployment, a netip.Addr) string {
	for _, m := range w.Members {
		if m.Pod != nil && m.Pod.Addr4 == a {
			return m.Pod.Name
		}
	}
	return ""
}

// appIn returns the name of the application in a pod: that of the service, without its version.
func appIn(pod string) string {
	name, _, _ := strings.Cut(pod, "-v")
	return name
}

// tunnelOf returns the pod of the ztunnel on a pod's node.
func tunnelOf(w *bookinfo.Deployment, pod string) string {
	for _, m := range w.Members {
		if m.Pod != nil && m.Pod.Name == pod {
			return bookinfo.Ztunnel + "-" + m.Pod.Node.Name
		}
	}
	return ""
}

func memberOf(m bookinfo.Member) member {
	if m.Process == nil {
		return member{name: "nobody"}
	}
	return member{m.Name, m.ID, m.Pod}
}

//go:build linux

package bookinfo

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// requests is how often the client asks: more than the connections that anybody keeps.
const requests = 7

// variants returns those of the project's own rules, and of the ones that real programs wrote, where they are beside
// the project.
func variants(t *testing.T) []Variant {
	t.Helper()
	all := []Variant{{Name: "no proxies"}}
	for _, dir := range []fs.FS{mesh.Own(), os.DirFS("../../../../../shared/rules")} {
		if _, err := fs.Stat(dir, "."); err != nil {
			continue // the second one is not part of the project
		}
		of, err := Variants(dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, of...)
	}
	return all
}

func newDeployment(t *testing.T, o Options) *Deployment {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, fmt.Errorf("a mesh needs root"))
	}
	o.Mesh.Name = mesh.Unique("netconn-bookinfo")
	w, err := New(o)
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

// What the client asks goes through everything that the rules put in its way, and everybody's counts agree.
func TestRequests(t *testing.T) {
	for _, v := range variants(t) {
		t.Run(v.Name, func(t *testing.T) {
			w := newDeployment(t, v.Options)
			if err := w.Ask(requests); err != nil {
				t.Fatal(err)
			}
			legs := settle(t, w)
			checkWay(t, v.Options, legs)
		})
	}
}

// Requests over connections that are kept take fewer connections than requests.
func TestKeptConnections(t *testing.T) {
	o := withSidecars(t)
	o.Keep, o.Sidecar.HTTP = true, true
	w := newDeployment(t, o)
	if err := w.Ask(requests); err != nil {
		t.Fatal(err)
	}
	legs := settle(t, w)
	for _, m := range w.Members {
		for _, l := range legs[m.Process] {
			if m == w.Client() || l.Port == 8080 {
				continue // the client keeps none
			}
			if l.Connections >= requests || l.Open == 0 || l.Open > l.Connections {
				t.Errorf("%s: %+v, want fewer connections than requests, and one that is open", m.Name, l)
			}
		}
	}
}

// settle waits until everybody has counted all that the others have sent, and returns it. Then each connection was
// counted at both ends, and every byte.
func settle(t *testing.T, w *Deployment) map[*mesh.Process][]program.Leg {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := w.Balanced()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	legs := make(map[*mesh.Process][]program.Leg)
	for _, m := range w.Members {
		of, err := m.Legs()
		if err != nil {
			t.Fatal(err)
		}
		legs[m.Process] = of
		for _, l := range of {
			if l.Sent == 0 || l.Received == 0 {
				t.Errorf("%s: nothing was said: %+v", m.Name, l)
			}
		}
	}
	return legs
}

// checkWay holds the listeners that connections came to, and how many: a request for each of the five calls, without
// a proxy to the service itself, with sidecars by way of 15001 where the caller has one, and of 15006.
func checkWay(t *testing.T, o Options, legs map[*mesh.Process][]program.Leg) {
	t.Helper()
	got := make(map[string]int)
	for p, of := range legs {
		for _, l := range of {
			if l.Accepted {
				got[fmt.Sprintf("%s:%d", p.Name, l.Port)] += l.Connections
			}
		}
	}
	want := map[string]int{"gateway:8080": requests}
	for _, service := range []string{Productpage, Details, Reviews, Ratings} {
		want[service+":9080"] = requests
	}
	switch {
	case o.Rules == nil:
	case o.Ambient: // what the gateway asks comes from outside the mesh
		want["ztunnel:15001"], want["ztunnel:15006"], want["ztunnel:15008"] = 3*requests, requests, 3*requests
	case o.Sidecar.Transparent && o.Sidecar.Loopback: // Istio 1.8 has TPROXY bring everything to one port
		want["envoy:15001"] = 7 * requests
	default:
		want["envoy:15001"], want["envoy:15006"] = 3*requests, 4*requests
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connections that were accepted (-want +got):\n%s", diff)
	}
}

// What a proxy takes for the original destination is what its client asked for.
func TestOriginalDestination(t *testing.T) {
	w := newDeployment(t, withSidecars(t))
	if err := w.Ask(2); err != nil { // productpage's sidecar asks each of the two reviews once
		t.Fatal(err)
	}
	legs := settle(t, w)
	for pod, address := range map[string]string{"reviews-v1": "10.244.1.12", "reviews-v3": "10.244.2.13"} {
		var got []string
		for _, l := range legs[w.Find(pod, Envoy).Process] {
			if l.Accepted {
				got = append(got, fmt.Sprintf("%d: %s wants %s", l.Port, l.Remote.Addr(), l.Original))
			}
		}
		want := []string{
			"15001: " + address + " wants 10.96.1.4:9080", // its own application, the service ratings
			"15006: 10.244.1.11 wants " + address + ":9080",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the sidecar of %s accepted (-want +got):\n%s", pod, diff)
		}
		for _, l := range legs[w.Find(pod, Reviews).Process] {
			if l.Accepted && l.Remote != netip.MustParseAddrPort("127.0.0.6:0") {
				t.Errorf("%s accepted %+v, want its sidecar at 127.0.0.6", pod, l)
			}
		}
	}
}

func withSidecars(t *testing.T) Options {
	t.Helper()
	f, err := mesh.FamilyNamed(mesh.Own(), "sidecar-redirect.nft")
	if err != nil {
		t.Fatal(err)
	}
	return Options{Rules: &f}
}

// One connection of an application to another is six sockets in two namespaces.
func TestSixSockets(t *testing.T) {
	o := withSidecars(t)
	o.Keep = true
	w := newDeployment(t, o)
	if err := w.Ask(1); err != nil {
		t.Fatal(err)
	}
	server := "reviews-v3"
	if len(mustLegs(t, w.Find(server, Reviews))) == 0 { // the sidecar of productpage asked the other one
		server = "reviews-v1"
	}
	path, err := w.Path(Productpage, Reviews, server)
	if err != nil {
		t.Fatal(err)
	}
	address := map[string]string{"reviews-v1": "10.244.1.12", "reviews-v3": "10.244.2.13"}[server]
	port := func(i int) string { return fmt.Sprint(":", path[i].Local.Port()) }
	line := func(name, local, rest string) string { return fmt.Sprintf("%-12s %-17s %s", name, local, rest) }
	want := []string{
		line("productpage", "10.244.1.11"+port(0), "-> 10.96.1.3:9080"),
		line("envoy", "127.0.0.1:15001", "<- 10.244.1.11"+port(0)),
		line("envoy", "10.244.1.11"+port(2), "-> "+address+":9080"),
		line("envoy", address+":15006", "<- 10.244.1.11"+port(2)),
		line("envoy", "127.0.0.6"+port(4), "-> "+address+":9080"),
		line("reviews", address+":9080", "<- 127.0.0.6"+port(4)),
	}
	var got []string
	for _, s := range path {
		got = append(got, s.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sockets (-want +got):\n%s", diff)
	}
}

func mustLegs(t *testing.T, m Member) []program.Leg {
	t.Helper()
	legs, err := m.Legs()
	if err != nil {
		t.Fatal(err)
	}
	return legs
}

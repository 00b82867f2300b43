//go:build linux

package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/netconn/netconn/internal/harness"
)

// The collector's own page shows what netconn holds, and that it lost nothing.
func TestHealth(t *testing.T) {
	sink, address := newSink(t), freeAddress(t)
	c := run(t, setup{Receiver: []string{"collection_interval: 1s"}, OTLP: sink.address, Telemetry: address})
	sink.next(1)
	s := goShopping(t)
	for _, name := range []string{"a", "b", "c"} {
		connect(name, s.shop, s.stock, stockAddress)
	}
	transfer("a", s.shop, s.stock, 1_000_016)
	transfer("a", s.stock, s.shop, 2_000_005)
	sink.want(s.whileOpen(), 1) // the page is of this collection or a later one
	p := readPage(t, address)

	checkDeclared(t, p)
	checkLosses(t, p)
	if diff := cmp.Diff(allAttached(), p.only("otelcol_netconn_program_attached{")); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	listeners := 1.0
	if harness.ReadsFiles(c.Log()) {
		listeners = 0 // that of a Go program is of multipath TCP, and has no file
	}
	for name, least := range map[string]float64{
		"sockets_tracked": 4, // three clients and a listener
		"connections":     6, // both ends of three
		"listeners":       listeners,
		"flows":           2,
		"resources":       3, // with the host itself
	} {
		if got := p.values["otelcol_netconn_"+name+"{}"]; got < least {
			t.Errorf("%s: %v, want at least %v", name, got, least)
		}
	}
}

func allAttached() map[string]float64 {
	return map[string]float64{
		named("otelcol_netconn_program_attached", "netconn_program=socket_state"):     1,
		named("otelcol_netconn_program_attached", "netconn_program=socket_destroyed"): 1,
		named("otelcol_netconn_program_attached", "netconn_program=cgroup_made"):      1,
		named("otelcol_netconn_program_attached", "netconn_program=snapshot_changed"): 1,
		named("otelcol_netconn_program_attached", "netconn_program=snapshot_all"):     1,
	}
}

// checkLosses holds that nothing is lost as long as the kernel's ring has room. Another program of this machine may fill
// it with tens of thousands of connections: then no more ends are counted as lost than the ring refused.
func checkLosses(t *testing.T, p page) {
	t.Helper()
	refused := p.values[named("otelcol_netconn_ring_refused")]
	ends := 0.0
	for _, end := range []string{"failed", "closed", "known"} { // these include connections with a lost opening
		ends += p.values[named("otelcol_netconn_connections_lost", "netconn_end="+end)]
	}
	if ends > refused {
		t.Errorf("%v ends are lost, and the ring refused %v", ends, refused)
	}
	if refused > 0 {
		t.Logf("others filled the ring, which refused %v reports", refused)
		return
	}
	got := p.only("otelcol_netconn_bytes_lost{", "otelcol_netconn_connections_lost{",
		"otelcol_netconn_connections_vanished{", "otelcol_netconn_storage_refused{")
	if diff := cmp.Diff(nothingLost(), got); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

func nothingLost() map[string]float64 {
	return map[string]float64{
		named("otelcol_netconn_bytes_lost", "network_io_direction=transmit"): 0,
		named("otelcol_netconn_bytes_lost", "network_io_direction=receive"):  0,
		named("otelcol_netconn_connections_lost", "netconn_end=opened"):      0,
		named("otelcol_netconn_connections_lost", "netconn_end=failed"):      0,
		named("otelcol_netconn_connections_lost", "netconn_end=closed"):      0,
		named("otelcol_netconn_connections_lost", "netconn_end=known"):       0,
		named("otelcol_netconn_connections_vanished"):                        0,
		named("otelcol_netconn_storage_refused"):                             0,
	}
}

// checkDeclared holds that the page has what the receiver declares, and nothing else of its own. What is about Kubernetes
// and dropped packets is there where that is configured, which it is not here.
func checkDeclared(t *testing.T, p page) {
	t.Helper()
	text, err := os.ReadFile("../../receiver/netconnreceiver/metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Telemetry struct{ Metrics map[string]any }
	}
	if err := yaml.Unmarshal(text, &declared); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for name := range p.types {
		if own, ok := strings.CutPrefix(name, "otelcol_"); ok && strings.HasPrefix(own, "netconn_") && !unconfigured(own) {
			got[own] = true
		}
	}
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(declared.Telemetry.Metrics)), unconfigured)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" || len(want) == 0 {
		t.Errorf("metrics of the receiver itself (-want +got):\n%s", diff)
	}
}

func unconfigured(metric string) bool {
	return strings.HasPrefix(metric, "netconn_kubernetes_") || strings.HasPrefix(metric, "netconn_drops_")
}

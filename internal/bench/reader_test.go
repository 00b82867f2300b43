//go:build linux

package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
)

// The flows of a benchmark are those of the default configuration: connections that differ only in an attribute that is
// off by default are one flow, and whatever else differs keeps them apart.
func TestWithoutAddresses(t *testing.T) {
	address := netip.MustParseAddr("192.0.2.1")
	key := flow.Key{Local: netip.AddrPortFrom(address, 1), Remote: netip.AddrPortFrom(address, 2), Server: address, Client: address}
	key.Original.Address = address
	key.Role, key.ServerPort = conn.RoleServer, 443
	key.Original.Name, key.Original.Port = "shop", 80
	off := []names.Attribute{names.PeerContainerID, names.PeerPod, names.PeerNode, names.PeerZone, names.PeerRegion}
	for i := range key.Peer {
		key.Peer[i] = "x"
	}
	want := flow.Key{Role: conn.RoleServer, ServerPort: 443, Peer: key.Peer}
	want.Original.Name, want.Original.Port = "shop", 80
	for _, p := range off {
		want.Peer[p] = ""
	}
	if diff := cmp.Diff(want, withoutAddresses(key), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

// Each snapshot is counted anew. A connection that has closed is passed on like the others, but is not live.
func TestCountingOfSnapshots(t *testing.T) {
	r, taken := &reader{}, 0
	for _, phases := range [][]conn.Phase{{conn.Open, conn.Closed, conn.Open}, {conn.Failed, conn.Open}, {}} {
		h := r.counting(kernel.Handler{Conn: func(conn.Conn) { taken++ }})
		live := 0
		for _, p := range phases {
			h.Conn(conn.Conn{Socket: conn.Socket{Phase: p}})
			if p == conn.Open {
				live++
			}
		}
		if r.seen != live || taken != len(phases) {
			t.Errorf("%v: %d live, %d passed on", phases, r.seen, taken)
		}
		taken = 0
	}
}

// What a collector needs more than another one may be less than nothing.
func TestFootprintsAreCompared(t *testing.T) {
	base := footprint{resident: 100 << 20, heap: 10 << 20, kernel: 5000}
	resident, heap, kernelBytes := footprint{resident: 90 << 20, heap: 14 << 20, kernel: 3000}.over(base)
	if resident != -10<<20 || heap != 4<<20 || kernelBytes != -2000 {
		t.Errorf("%v, %v and %v more", resident, heap, kernelBytes)
	}
	row := footprint{resident: 90 << 20, heap: 14 << 20, active: 7, cpu: 30 * time.Millisecond}.row(8, 3*time.Second, "a", "b", "c")
	if diff := cmp.Diff([]string{"8", "7", "90.0 MiB", "a", "14.0 MiB", "b", "10.00 ms/s", "c"}, row); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// All workloads share one table, which says how much was measured.
func TestOneTableOfTheDataPath(t *testing.T) {
	b := &bench{scale: scale{pairs: 7, slice: 250 * time.Millisecond, cores: 3}}
	table := b.dataPathTable()
	if again := b.dataPathTable(); again != table || len(b.tables) != 1 {
		t.Errorf("%d tables", len(b.tables))
	}
	var text strings.Builder
	table.Write(&text)
	for _, want := range []string{"each of 3 cores", "7 pairs of 250ms", "95 % confidence"} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
	other := &bench{tables: []*report.Table{{Title: "BPF run time"}}}
	if other.dataPathTable(); len(other.tables) != 2 {
		t.Error("the table of another part is taken for that of the data path")
	}
}

// Profiles are taken only if they are asked for, and at one rate: the collector is slower meanwhile.
func TestProfilesThatAreNotTaken(t *testing.T) {
	for dir, rate := range map[string]int{"": 10_000, t.TempDir(): 2_000} {
		b := &bench{profiles: dir}
		select {
		case err := <-b.profile(nil, rate):
			if err != nil {
				t.Errorf("at %d a second: %v", rate, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("at %d a second a profile is taken", rate)
		}
	}
}

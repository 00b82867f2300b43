//go:build linux

package mesh

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSockets(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:2378 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0 100 0 0 10 0
   1: 0B01F40A:909A 0301600A:2378 01 00000000:00000000 00:00000000 00000000     0        0 8 1 0 20 4 30 10 -1
   2: 0B01F40A:909B 0301600A:2378 01 00000000:00000000 00:00000000 00000000     0        0 9 1 0 20 4 30 10 -1
   3: 0000000000000000FFFF00000B01F40A:2378 0000000000000000FFFF00000600007F:B27B 01 00000000:00000000 00:00000000 00000000 1337 0 10 1 0 20
   4: 000000FD00000000000000000B000000:2378 000000FD00000000000000000C000000:B27B 06 00000000:00000000 00:00000000 00000000 0 0 11 1 0 20
`
	got, err := parseSockets(strings.NewReader(table), map[string]int{"socket:[8]": 100, "socket:[10]": 200, "socket:[7]": 300})
	if err != nil {
		t.Fatal(err)
	}
	want := []Socket{
		{netip.MustParseAddrPort("10.244.1.11:37018"), netip.MustParseAddrPort("10.96.1.3:9080"), 100},
		{netip.MustParseAddrPort("10.244.1.11:9080"), netip.MustParseAddrPort("127.0.0.6:45691"), 200},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("sockets (-want +got):\n%s", diff)
	}
}

func TestParseEndpointNonsense(t *testing.T) {
	for _, text := range []string{"", "0B01F40A", "0B01F40A:", "0B01F4:1", "xx01F40A:1", "0B01F40A:10000", "0B01F40A0B01F40A:1"} {
		if got, err := parseEndpoint(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

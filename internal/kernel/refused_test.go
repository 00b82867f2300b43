//go:build linux

package kernel

import (
	"net"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

// A socket for whose state the kernel has no memory works as ever, and is counted as one that is not reported.
func TestStorageRefused(t *testing.T) {
	n := testnet.New(t)
	if !n.HasSysctl("net.core.optmem_max") {
		t.Skip("in older kernels the limit of a socket's own memory is the whole machine's")
	}
	o := observe(t, Options{}, n)
	before, err := o.Stats()
	if err != nil {
		t.Fatal(err)
	}
	n.Sysctl("net.core.optmem_max", "64")
	l := n.Listen("127.0.0.1:9080")
	for range 10 {
		client, server := n.Connect(l, "127.0.0.1:9080")
		write(t, client, 100)
		read(t, server, 100)
		for _, c := range []*net.TCPConn{client, server} {
			c.Close()
		}
	}
	waitClosed(t, n)
	o.snapshot(true)
	after, err := o.Stats()
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "reports", 0, len(o.ended)+len(o.live))
	// The listener, and each end when it is established; a client also when it connects.
	if refused := after.StorageRefused - before.StorageRefused; refused < 31 {
		t.Errorf("refused %d times, want 31 at least", refused)
	}
	if untracked := after.EndedUntracked - before.EndedUntracked; untracked < 20 {
		t.Errorf("%d ended without being followed, want 20 at least", untracked)
	}
}

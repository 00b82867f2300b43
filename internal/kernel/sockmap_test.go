//go:build linux

package kernel

import (
	"net"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/netconn/netconn/internal/conn"
)

// accelerate puts both ends of a connection into a sockmap, which hands what the client sends to the server's socket.
func accelerate(t *testing.T, client, server *net.TCPConn) {
	t.Helper()
	sockets, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockMap, KeySize: 4, ValueSize: 4, MaxEntries: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sockets.Close() })
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SkMsg, License: "GPL",
		Instructions: asm.Instructions{
			asm.LoadMapPtr(asm.R2, sockets.FD()),
			asm.Mov.Imm(asm.R3, 1),
			asm.Mov.Imm(asm.R4, 1), // BPF_F_INGRESS
			asm.FnMsgRedirectMap.Call(),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	err = link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: sockets.FD(), Program: program, Attach: ebpf.AttachSkMsgVerdict,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []*net.TCPConn{client, server} {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		putErr := error(nil)
		err = raw.Control(func(fd uintptr) { putErr = sockets.Put(uint32(i), uint32(fd)) })
		if err != nil || putErr != nil {
			t.Fatal(err, putErr)
		}
	}
}

// Payload that a sockmap hands over is in no counter of TCP. Both ends are marked, however the connection ends: the end
// that closes last sees the FIN, and the other one is found by a snapshot or at shutdown().
func TestSockmap(t *testing.T) {
	for name, end := range map[string]func(o *observer, client *net.TCPConn){
		"shutdown": func(_ *observer, client *net.TCPConn) { client.CloseWrite() },
		"a snapshot, then close": func(o *observer, client *net.TCPConn) {
			o.snapshot(false)
			for _, c := range o.live {
				if c.Counts[conn.Bypassed] != 1 {
					o.t.Errorf("live: %+v", c)
				}
			}
			client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			o := w.observe(t)
			client, server := w.connect()
			accelerate(t, client, server)
			write(t, client, 5000)
			read(t, server, 5000)
			end(o, client)
			readEnd(t, server)
			server.Close()
			client.Close()
			for _, c := range o.waitEnded(2) {
				wantEqual(t, "bypassed", uint64(1), c.Counts[conn.Bypassed])
				wantEqual(t, "payload that TCP carried", uint64(0), c.Counts[conn.Sent]+c.Counts[conn.Received])
			}
		})
	}
}

// A socket that enters a sockmap later is reported by the next snapshot, although none of its counters has changed.
func TestSockmapEnteredLater(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 100)
	read(t, server, 100)
	o.snapshot(false)
	for _, c := range o.live {
		wantEqual(t, "bypassed at first", uint64(0), c.Counts[conn.Bypassed])
	}
	accelerate(t, client, server)
	o.snapshot(false)
	wantEqual(t, "ends with news", 2, len(o.live))
	for _, c := range o.live {
		wantEqual(t, "bypassed", uint64(1), c.Counts[conn.Bypassed])
	}
	o.snapshot(false)
	wantEqual(t, "ends with news after that", 0, len(o.live))
}

// One that was in a sockmap before netconn started is marked too: it is no part of the baseline.
func TestSockmapOlderThanNetconn(t *testing.T) {
	w := newWire(t)
	client, server := w.connect()
	accelerate(t, client, server)
	o := w.observe(t)
	o.snapshot(false)
	wantEqual(t, "live ends", 2, len(o.live))
	for _, c := range o.live {
		wantEqual(t, "bypassed", uint64(1), c.Counts[conn.Bypassed])
	}
}

// No other use of a socket is taken for a sockmap.
func TestNoSockmap(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 100)
	read(t, server, 100)
	o.snapshot(false)
	client.CloseWrite()
	readEnd(t, server)
	server.Close()
	client.Close()
	for _, c := range o.waitEnded(2) {
		wantEqual(t, "bypassed", uint64(0), c.Counts[conn.Bypassed])
	}
}

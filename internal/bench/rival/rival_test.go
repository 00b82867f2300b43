//go:build linux

package rival

import (
	"io"
	"net"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/testnet"
)

// talk has a client send and a server answer, on one connection.
func talk(t *testing.T, p *testbed.Pair, request, response int) net.Addr {
	t.Helper()
	var l net.Listener
	err := p.Server.Do(func() (err error) {
		l, err = net.Listen("tcp4", testbed.ServerAddress+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var client net.Conn
	err = p.Client.Do(func() (err error) {
		client, err = net.Dial("tcp4", l.Addr().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	send(t, client, server, request)
	send(t, server, client, response)
	return client.LocalAddr()
}

func send(t *testing.T, from io.Writer, to io.Reader, n int) {
	t.Helper()
	if _, err := from.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

func newPair(t *testing.T) *testbed.Pair {
	t.Helper()
	p, err := testbed.NewPair()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// of returns the traffic of the ends with a port.
func (r *Rival) of(local bool, port int) (sum rivalTraffic) {
	var key rivalTuple
	var value rivalTraffic
	for entries := r.objects.Connections.Iterate(); entries.Next(&key, &value); {
		if local && int(key.LocalPort) == port || !local && int(key.RemotePort) == port {
			sum.Sent, sum.Received = sum.Sent+value.Sent, sum.Received+value.Received
		}
	}
	return sum
}

// What is compared with netconn does count: otherwise its cost would be that of nothing.
func TestCalls(t *testing.T) {
	p := newPair(t)
	r, err := Calls()
	if err != nil {
		testnet.Require(t, err)
	}
	defer r.Close()
	port := talk(t, p, 1003, 2005).(*net.TCPAddr).Port
	if got, want := r.of(true, port), (rivalTraffic{Sent: 1003, Received: 2005}); got != want {
		t.Errorf("the client's end: got %+v, want %+v", got, want)
	}
	if got, want := r.of(false, port), (rivalTraffic{Sent: 2005, Received: 1003}); got != want {
		t.Errorf("the server's end: got %+v, want %+v", got, want)
	}
	if r.Count() < 2 {
		t.Errorf("%d ends in the table", r.Count())
	}
}

func TestPackets(t *testing.T) {
	p := newPair(t)
	r, err := Packets(p.Client, testbed.Interface)
	if err != nil {
		testnet.Require(t, err)
	}
	defer r.Close()
	port := talk(t, p, 1003, 2005).(*net.TCPAddr).Port
	got := r.of(true, port)
	if got.Sent < 1003+54 || got.Received < 2005+54 { // payload, and at least one packet's headers
		t.Errorf("got %+v", got)
	}
	if other := r.of(false, port); other != (rivalTraffic{}) {
		t.Errorf("the server's interface has %+v", other)
	}
}

func TestPacketsOfNoInterface(t *testing.T) {
	p := newPair(t)
	if r, err := Packets(p.Client, "none0"); err == nil {
		r.Close()
		t.Error("an interface that is not there was attached to")
	}
}

func TestTime(t *testing.T) {
	p := newPair(t)
	r, err := Calls()
	if err != nil {
		testnet.Require(t, err)
	}
	on, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		testnet.Require(t, err)
	}
	defer on.Close()
	talk(t, p, 1, 1)
	if runs, spent, err := r.Time(); err != nil || runs < 4 || spent == 0 { // two sends, two receives
		t.Errorf("%d runs, %v, %v", runs, spent, err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := r.Time(); err == nil {
		t.Error("what is closed has a time")
	}
}

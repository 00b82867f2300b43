//go:build linux

package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// here are the addresses of these tests. What others do meanwhile has none of them.
var here = netip.MustParsePrefix("10.99.53.0/24")

// observer keeps what the kernel reports of the tests' own addresses.
type observer struct {
	*Reader
	t         *testing.T
	lookups   []conn.Lookup
	others    []conn.Lookup // of any other address
	addresses map[conn.Role][]string
}

func observe(t *testing.T, o Options) *observer {
	t.Helper()
	o.Root = "/"
	r, err := Open(o)
	if err != nil {
		testnet.Require(t, err)
	}
	w := &observer{Reader: r, t: t, addresses: make(map[conn.Role][]string)}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *observer) drain() {
	w.t.Helper()
	err := w.Drain(time.Now(), func(l conn.Lookup, addresses []Address) {
		if !here.Contains(l.Tuple.Destination.Addr()) && !here.Contains(l.Tuple.Source.Addr()) {
			w.others = append(w.others, l)
			return
		}
		w.lookups = append(w.lookups, l)
		for _, a := range addresses {
			w.addresses[l.Role] = append(w.addresses[l.Role], l.Question+" "+a.Address.String())
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// said returns what the lookups of one role say, in their order: transport, port of the server, name, outcome.
func (w *observer) said(role conn.Role) (all []string) {
	for _, l := range w.lookups {
		if l.Role != role {
			continue
		}
		port := l.Tuple.Destination.Port()
		if role == conn.RoleServer {
			port = l.Tuple.Source.Port()
		}
		outcome := "timeout"
		if l.Answered {
			outcome = l.Rcode.String()
			if l.Latency <= 0 || l.Latency > Timeout {
				w.t.Errorf("the latency of %s is %v", l.Question, l.Latency)
			}
		}
		if l.Timeouts > 0 {
			outcome += fmt.Sprintf(" %d", l.Timeouts)
		}
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", l.Protocol, port, l.Question, outcome)))
	}
	return all
}

// network is a namespace with the address of a server.
func network(t *testing.T) *testnet.Namespace {
	t.Helper()
	n := testnet.New(t)
	n.Command("ip", "address", "add", "10.99.53.1/24", "dev", "lo")
	return n
}

// needs skips a test without one of these programs.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("make test installs it: %v", err)
		}
	}
}

// script is a server that answers by the first label of the name: nx, fail, silent, big (too long for UDP), else an
// address.
func script(t *testing.T, n *testnet.Namespace, port int) {
	t.Helper()
	n.Do(func() {
		at := fmt.Sprintf("10.99.53.1:%d", port)
		udp, err := listenUDP(at)
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { udp.Close(); tcp.Close() })
		go serveUDP(udp)
		go serveTCP(tcp)
	})
}

func serveUDP(c net.PacketConn) {
	buffer := make([]byte, 2000)
	for {
		size, from, err := c.ReadFrom(buffer)
		if err != nil {
			return
		}
		if response := scripted(buffer[:size], true); response != nil {
			_, _ = c.WriteTo(response, from)
		}
	}
}

// serveTCP sends the length in a segment of its own, as some servers do.
func serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var size uint16
		if binary.Read(c, binary.BigEndian, &size) == nil {
			query := make([]byte, size)
			if _, err := io.ReadFull(c, query); err == nil {
				response := scripted(query, false)
				_, _ = c.Write(binary.BigEndian.AppendUint16(nil, uint16(len(response))))
				time.Sleep(5 * time.Millisecond)
				_, _ = c.Write(response)
			}
		}
		c.Close()
	}
}

func scripted(query []byte, udp bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	name := m.Questions[0].Name
	label, _, _ := strings.Cut(strings.ToLower(name.String()), ".")
	switch {
	case label == "silent":
		return nil
	case label == "nx":
		m.RCode = dnsmessage.RCodeNameError
	case label == "fail":
		m.RCode = dnsmessage.RCodeServerFailure
	case label == "big" && udp:
		m.Truncated = true
	case label == "big":
		for i := range 200 {
			m.Answers = append(m.Answers, resource(name.String(), &dnsmessage.AResource{A: [4]byte{203, 0, 113, byte(i)}}))
		}
	case m.Questions[0].Type == dnsmessage.TypeA:
		m.Answers = append(m.Answers, resource(name.String(), &dnsmessage.AResource{A: [4]byte{203, 0, 113, 9}}))
	}
	response, _ := m.Pack()
	return response
}

// dig asks for a name.
func dig(n *testnet.Namespace, arguments ...string) {
	_, _ = n.Output("dig", append([]string{"+tries=1", "+timeout=1"}, arguments...)...)
}

func TestOutcomes(t *testing.T) {
	needs(t, "dig")
	n := network(t)
	w := observe(t, Options{Mode: All, Timeout: 1500 * time.Millisecond})
	script(t, n, 53)
	for _, name := range []string{"ok", "nx", "fail", "big", "silent"} {
		dig(n, "@10.99.53.1", name+".Example.com")
	}
	dig(n, "@10.99.53.1", "+tcp", "nx.example.com")
	dig(n, "@10.99.53.1", "+noedns", "-t", "AAAA", "ok.example.com")
	time.Sleep(2 * time.Second)
	w.drain()
	want := []string{
		"udp 53 ok.example.com NOERROR", "udp 53 nx.example.com NXDOMAIN", "udp 53 fail.example.com SERVFAIL",
		"udp 53 big.example.com NOERROR", "tcp 53 big.example.com NOERROR", "tcp 53 nx.example.com NXDOMAIN",
		"udp 53 ok.example.com NOERROR", "udp 53  timeout 1",
	}
	for _, role := range []conn.Role{conn.RoleClient, conn.RoleServer} {
		if diff := cmp.Diff(want, w.said(role)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
	for _, l := range w.lookups {
		if want := map[conn.Role]string{conn.RoleClient: "dig", conn.RoleServer: filepath.Base(os.Args[0])}[l.Role]; l.Process.Executable != want && l.Answered {
			t.Errorf("%s of %q, want %q: %+v", l.Role, l.Process.Executable, want, l.Process)
		}
	}
	for role, got := range w.addresses {
		if got[0] != "ok.example.com 203.0.113.9" || len(got) < 20 {
			t.Errorf("the addresses of the %s are %q", role, got)
		}
	}
	if len(w.addresses) != 2 {
		t.Errorf("%d ends have addresses", len(w.addresses))
	}
}

// A client that asks again with the same id has one timeout for each query without a response.
func TestResent(t *testing.T) {
	n := network(t)
	w := observe(t, Options{Mode: All, Timeout: 300 * time.Millisecond})
	script(t, n, 53)
	n.Do(func() {
		for _, connected := range []bool{true, false} {
			ask(t, connected, "silent.example.com.", "silent.example.com.")
			ask(t, connected, "silent.example.com.", "ok.example.com.")
		}
	})
	time.Sleep(500 * time.Millisecond)
	w.drain()
	got := w.said(conn.RoleClient)
	slices.Sort(got)
	want := []string{"udp 53  timeout 2", "udp 53  timeout 2", "udp 53 ok.example.com NOERROR 1",
		"udp 53 ok.example.com NOERROR 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A query without a response is handed over once, whatever the kernel forgets meanwhile: a table whose present entry is
// gone is read from its beginning again. The response to a query that is about to be handed over is one: the query has
// no timeout then.
func TestTimeoutOnce(t *testing.T) {
	n := network(t)
	w := observe(t, Options{Mode: All, Timeout: 300 * time.Millisecond})
	script(t, n, 53)
	n.Do(func() {
		for range 4 {
			ask(t, true, "silent.example.com.")
		}
	})
	time.Sleep(500 * time.Millisecond)
	keys := make(map[string]kernelDnsKey)
	end := func(l conn.Lookup) string { return fmt.Sprint(l.Role, l.Tuple) }
	w.queries(func(key kernelDnsKey, l conn.Lookup) { keys[end(l)] = key })
	if len(keys) != 8 {
		t.Fatalf("%d queries wait at both ends, want 8", len(keys))
	}
	answered, got := "", make(map[string]uint64)
	err := w.Drain(time.Now(), func(l conn.Lookup, _ []Address) {
		if _, mine := keys[end(l)]; !mine {
			return
		}
		if got[end(l)] += l.Timeouts; len(got) != 2 || answered != "" {
			return
		}
		for e := range keys {
			if got[e] == 0 {
				answered = e
			}
		}
		for _, e := range []string{end(l), answered} { // as the kernel does when the response comes
			key := keys[e]
			if err := w.objects.Queries.Delete(&key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]uint64)
	for e := range keys {
		if e != answered {
			want[e] = 1
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("timeouts (-want +got):\n%s", diff)
	}
}

// ask sends queries with one id from one socket, which is connected or not, and waits a moment for a response.
func ask(t *testing.T, connected bool, names ...string) {
	t.Helper()
	to := &net.UDPAddr{IP: net.IPv4(10, 99, 53, 1), Port: 53}
	var local *net.UDPAddr
	c, err := net.ListenUDP("udp4", local)
	if connected {
		c.Close()
		c, err = net.DialUDP("udp4", nil, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range names {
		m := packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 77}, Questions: question(name, dnsmessage.TypeA)})
		if connected {
			_, err = c.Write(m)
		} else {
			_, err = c.WriteTo(m, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, _ = c.Read(make([]byte, 500))
}

func listenUDP(address string) (net.PacketConn, error) { return net.ListenPacket("udp", address) }

// askAt asks a server for an address, and waits for the response.
func askAt(t *testing.T, address, name string) {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 5}, Questions: question(name, dnsmessage.TypeA)})
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err = c.Write(m); err == nil {
		_, err = c.Read(make([]byte, 500))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A redirect in the client's own namespace, as a sidecar's, changes where the query goes and not whom the client asked.
func TestRedirect(t *testing.T) {
	n := network(t)
	n.Command("nft", "table ip t { chain o { type nat hook output priority -100; "+
		"udp dport 53 redirect to :15053; tcp dport 53 redirect to :15053; }; "+
		"chain p { type nat hook postrouting priority 100; udp dport 15053 snat to 127.0.0.1; }; }")
	w := observe(t, Options{Mode: All, Timeout: 300 * time.Millisecond})
	n.Do(func() {
		udp, err := listenUDP("127.0.0.1:15053")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { udp.Close() })
		go serveUDP(udp)
		for _, connected := range []bool{true, false} {
			ask(t, connected, "ok.example.com.")
			ask(t, connected, "silent.example.com.")
		}
	})
	time.Sleep(500 * time.Millisecond)
	w.drain()
	want := []string{"udp 53  timeout 1", "udp 53  timeout 1", "udp 53 ok.example.com NOERROR", "udp 53 ok.example.com NOERROR"}
	got := w.said(conn.RoleClient)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	answered := slices.DeleteFunc(w.said(conn.RoleServer), func(s string) bool { return strings.Contains(s, "timeout") })
	want = []string{"udp 15053 ok.example.com NOERROR", "udp 15053 ok.example.com NOERROR"} // its own port
	if diff := cmp.Diff(want, answered); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
}

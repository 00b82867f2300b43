package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// programVariable makes this program the application.
const programVariable = "NETCONN_APP_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// server starts a server that has a journal, and returns its address.
func server(t *testing.T) (address, journal string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	journal = filepath.Join(t.TempDir(), "journal")
	for name, value := range map[string]string{"JOURNAL": journal, "POD": "web-0", "CONTAINER": "app", "TAG": "7"} {
		t.Setenv(name, value)
	}
	go func() { _ = serve(address) }()
	for range 500 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address, journal
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the server does not answer")
	return "", ""
}

// read returns what the journal has of connections with bytes, by role, once it has n of them.
func read(t *testing.T, journal string, n int) map[string][]Connection {
	t.Helper()
	var all map[string][]Connection
	for range 500 {
		all = make(map[string][]Connection)
		found := 0
		file, err := os.Open(journal)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var c Connection
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%v: %s", err, lines.Text())
			}
			if c.Sent+c.Received > 0 {
				all[c.Role] = append(all[c.Role], c)
				found++
			}
		}
		file.Close()
		if found == n {
			return all
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the journal has %v, want %d connections", all, n)
	return nil
}

// Both ends of a connection count the same bytes, and the client has the version of the server.
func TestBothEndsCount(t *testing.T) {
	address, journal := server(t)
	if err := ask(address, 100, 1000); err != nil {
		t.Fatal(err)
	}
	all := read(t, journal, 2)
	client, counted := all["client"][0], all["server"][0]
	want := Connection{
		Owner: "web-0/app", Tag: "v7", ServerTag: "v7", Role: "client", Asked: address, Local: counted.Remote, Remote: address, Sent: 108, Received: 1000,
	}
	if diff := cmp.Diff(want, client); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	want = Connection{Owner: "web-0/app", Tag: "v7", Role: "server", Local: address, Remote: client.Local, Sent: 1000, Received: 108}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
}

// A client asks each address as often as its argument says, each time for another length.
func TestCall(t *testing.T) {
	address, journal := server(t)
	if err := call([]string{"3", "1ms", address, address}); err != nil {
		t.Fatal(err)
	}
	lengths := make(map[int64]int)
	for _, c := range read(t, journal, 12)["client"] {
		lengths[c.Received]++
	}
	if diff := cmp.Diff(map[int64]int{1000: 2, 1001: 2, 1002: 2}, lengths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// While there is a file named stop, nothing is asked.
func TestStop(t *testing.T) {
	address, journal := server(t)
	stop := filepath.Join(filepath.Dir(journal), "stop")
	if err := os.WriteFile(stop, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- call([]string{"1", "1ms", address}) }()
	select {
	case err := <-ended:
		t.Fatal("it has not stopped", err)
	case <-time.After(250 * time.Millisecond):
	}
	if err := os.Remove(stop); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	read(t, journal, 2)
}

// If nothing listens, a client goes on with the next request. Without a journal nothing is written.
func TestNothingListens(t *testing.T) {
	t.Setenv("JOURNAL", "")
	if err := ask("127.0.0.1:1", 1, 1); err == nil {
		t.Error("no error")
	}
	if err := call([]string{"2", "1ms", "127.0.0.1:1"}); err != nil {
		t.Error(err)
	}
}

// A server that ends without an answer has no version. What was sent counts.
func TestNoAnswer(t *testing.T) {
	_, journal := server(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.ReadFull(c, make([]byte, 108))
		c.Close()
	}()
	if err := ask(l.Addr().String(), 100, 1000); err == nil {
		t.Error("no error")
	}
	c := read(t, journal, 1)["client"][0]
	if c.Sent != 108 || c.Received != 0 || c.ServerTag != "" {
		t.Errorf("%+v", c)
	}
}

func TestArguments(t *testing.T) {
	for _, arguments := range []string{"", "serve", "call 1 1ms", "all :0 1 1ms", "other"} {
		if err := run(strings.Fields(arguments)); err == nil || !strings.Contains(err.Error(), "package comment") {
			t.Errorf("%q: %v", arguments, err)
		}
	}
	for _, arguments := range []string{"call x 1ms a:1", "call 1 x a:1", "serve nowhere"} {
		if err := run(strings.Fields(arguments)); err == nil {
			t.Errorf("%q: no error", arguments)
		}
	}
}

// A program that is asked to end answers for a while, sends no more requests, and exits with status 0.
func TestEnd(t *testing.T) {
	address, journal := server(t)
	client := exec.Command(os.Args[0], "all", "127.0.0.1:0", "0", "1ms", address)
	client.Env = append(os.Environ(), programVariable+"=1", "POD=client")
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	asked := func() int {
		text, _ := os.ReadFile(journal)
		return bytes.Count(text, []byte(`"client/app"`))
	}
	for asked() < 3 {
		time.Sleep(time.Millisecond)
	}
	signalled := time.Now()
	if err := client.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(grace / 3) // for the request on its way
	before := asked()
	if err := client.Wait(); err != nil || time.Since(signalled) < grace {
		t.Errorf("it ended after %v: %v", time.Since(signalled), err)
	}
	if after := asked(); after != before {
		t.Errorf("it has sent %d requests after it was asked to end", after-before)
	}
}

// A request that is cut short counts what has arrived of it, and gets no answer.
func TestCutShort(t *testing.T) {
	address, journal := server(t)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte{0, 0, 0, 9, 0, 0, 0, 1, 'x', 'y'}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	counted := read(t, journal, 1)["server"][0]
	if counted.Received != 10 || counted.Sent != 0 {
		t.Errorf("received %d, sent %d, want 10 and 0", counted.Received, counted.Sent)
	}
}

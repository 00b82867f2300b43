//go:build linux

package load

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// podServer returns a process that serves in this one, and a client of it.
func podServer(t *testing.T) *podProcess {
	t.Helper()
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	if err := (&podProcess{address: address}).do(Order{Do: "listen"}); err != nil {
		t.Fatal(err)
	}
	client := &podProcess{address: address}
	t.Cleanup(func() { _ = client.do(Order{Do: "close"}) })
	return client
}

// A server answers with as many bytes as the request asks for, and takes several requests on one connection.
func TestServe(t *testing.T) {
	c, err := net.Dial("tcp4", podServer(t).address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, size := range []struct{ request, response uint32 }{{8, 1}, {500, 1000}, {largest, largest}} {
		message := make([]byte, size.request)
		binary.BigEndian.PutUint32(message, size.request)
		binary.BigEndian.PutUint32(message[4:], size.response)
		if _, err := c.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, size.response)); err != nil {
			t.Errorf("%+v: %v", size, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%+v: there is more than that", size)
		}
		_ = c.SetReadDeadline(time.Time{})
	}
}

// A server closes its end when the client ends in the middle of a request.
func TestServeHalfARequest(t *testing.T) {
	c, err := net.Dial("tcp4", podServer(t).address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte{0, 0, 0, 99, 0, 0, 0, 1, 'x'}); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes, %v; want the end", n, err)
	}
}

// Each exchange counts what it has carried: 8 bytes to the server and 1 from it at the least, and never too much.
func TestExchangeCounts(t *testing.T) {
	p := podServer(t)
	if err := p.open(1); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		before := p.report
		if err := p.touch(); err != nil {
			t.Fatal(err)
		}
		sent, received := p.report.Sent-before.Sent, p.report.Received-before.Received
		if sent < 8 || sent > largest || received < 1 || received > largest {
			t.Fatalf("an exchange of %d and %d bytes", sent, received)
		}
	}
	if p.report.Connections != 1 {
		t.Errorf("%d connections, want 1", p.report.Connections)
	}
}

// reopen replaces the oldest connections, and close ends all of them.
func TestReopen(t *testing.T) {
	p := podServer(t)
	if err := p.do(Order{Do: "open", Count: 4}); err != nil {
		t.Fatal(err)
	}
	oldest, youngest := p.stay[0], p.stay[3]
	if err := p.do(Order{Do: "reopen", Count: 3}); err != nil {
		t.Fatal(err)
	}
	if len(p.stay) != 4 || p.stay[0] != youngest || p.report.Connections != 7 {
		t.Errorf("%d connections stay of %d, the youngest before is first: %v", len(p.stay), p.report.Connections, p.stay[0] == youngest)
	}
	if _, err := oldest.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the oldest: %v", err)
	}
	if err := p.do(Order{Do: "close"}); err != nil || len(p.stay) != 0 {
		t.Errorf("%d connections stay, %v", len(p.stay), err)
	}
	if err := p.close(5); err != nil {
		t.Errorf("close more than there are: %v", err)
	}
}

// churn opens as many connections as the rate allows, and leaves none of them.
func TestPodChurn(t *testing.T) {
	p := podServer(t)
	if err := p.do(Order{Do: "churn", For: 100 * time.Millisecond, Rate: 100}); err != nil {
		t.Fatal(err)
	}
	if n := p.report.Connections; n < 1 || n > 11 || len(p.stay) != 0 {
		t.Errorf("%d connections in 100 ms at 100 a second, %d of them stay", n, len(p.stay))
	}
}

// What fails is an error of the order, and what was opened before is kept.
func TestPodFails(t *testing.T) {
	p := podServer(t)
	if err := p.open(2); err != nil {
		t.Fatal(err)
	}
	if err := (&podProcess{address: p.address}).do(Order{Do: "listen"}); err == nil {
		t.Error("two listen at one address")
	}
	p.stay[1].Close()
	if err := p.do(Order{Do: "touch"}); !errors.Is(err, net.ErrClosed) || len(p.stay) != 2 {
		t.Errorf("touch with a closed connection: %v", err)
	}
	for _, order := range []string{"churn", "open"} {
		nowhere := &podProcess{address: "127.0.0.1:1"}
		if err := nowhere.do(Order{Do: order, For: time.Second, Count: 1, Rate: 1}); err == nil || nowhere.report.Connections != 0 {
			t.Errorf("%s where nothing listens: %v, %+v", order, err, nowhere.report)
		}
	}
}

// A process of the soak refuses an order that it does not know, and does nothing.
func TestPodOrders(t *testing.T) {
	p := podServer(t)
	if err := p.do(Order{Do: "jump", Count: 1}); err == nil || p.report != (Report{}) {
		t.Errorf("%+v, %v", p.report, err)
	}
}

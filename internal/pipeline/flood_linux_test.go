//go:build linux

package pipeline

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
)

// A flood of refused attempts, drained as the receiver drains: the connections beside it are all there, in a flow of
// their own with exact bytes, and each attempt is refused or lost.
func TestConnectionsBesideAFlood(t *testing.T) {
	const attempts = 200_000
	l := newLab(t, kernel.Options{FailedRingBytes: 64 << 10}) // smaller, so that the flood fills it on any machine
	flooded := make(chan error)
	go func() { flooded <- l.net.Namespace.Do(func() error { return attempt(attempts) }) }()
	connections := 0
	for running, ticker := true, time.NewTicker(DrainInterval); running; {
		select {
		case err := <-flooded:
			if running = false; err != nil {
				t.Fatal(err)
			}
		case <-ticker.C:
			if err := l.Drain(l.now); err != nil {
				t.Fatal(err)
			}
		default:
			l.exchange()
			connections++
			time.Sleep(2 * time.Millisecond)
		}
	}
	var refused, lost uint64
	var bytes [2]uint64
	var opened, closed uint64
	l.collect()
	flows := l.collectFlows()
	for _, f := range flows {
		refused += f.Outcomes[flow.Attempts][conn.Refused]
		lost += f.Outcomes[flow.Attempts][conn.Lost]
		if f.Key.ServerPort == 9080 {
			bytes[0] += f.Counts[conn.Sent]
			bytes[1] += f.Counts[conn.Received]
			opened += f.Outcomes[flow.Attempts][conn.NoError]
			closed += f.Outcomes[flow.Ends][conn.NoError]
		}
	}
	if want := uint64(2 * bytesEach * connections); bytes[0] != want || bytes[1] != want {
		t.Errorf("%d connections: %d bytes, want %d each way", connections, bytes, want)
	}
	if want := uint64(2 * connections); opened != want || closed != want {
		t.Errorf("%d connections: %d ends opened, %d closed", connections, opened, closed)
	}
	if refused > attempts || refused+lost < attempts {
		t.Errorf("%d attempts: %d refused, %d lost", attempts, refused, lost)
	}
	if lost == 0 || len(l.Faults()) == 0 || l.Faults()[0].About != "ring of failed attempts" {
		t.Errorf("%d lost, faults %+v", lost, l.Faults())
	}
	t.Logf("%d connections beside %d attempts, %d of them named", connections, attempts, refused)
}

// attempt makes attempts that are refused.
func attempt(n int) error {
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
		connectErr := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 81})
		if err = errors.Join(err, unix.Close(fd)); !errors.Is(connectErr, unix.ECONNREFUSED) || err != nil {
			return errors.Join(err, connectErr)
		}
	}
	return nil
}

// collectFlows makes one collection and returns the flows of all resources.
func (l *lab) collectFlows() (all []*flow.Flow) {
	l.t.Helper()
	l.now = l.now.Add(3 * time.Second)
	resources, err := l.Collect(l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, r := range resources {
		all = append(all, r.Flows...)
	}
	return all
}

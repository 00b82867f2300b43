//go:build linux

// Package load makes the traffic that the benchmarks measure. It runs in processes of its own (the program under
// another name, see Start and Main), so that its series in netconn's metrics have a name of their own, and so that
// its cost is low and does not change: one thread, pinned to a core, that blocks in system calls without the Go
// scheduler's knowledge, allocates nothing and is never collected or preempted.
//
// A process takes orders on its standard input, a JSON object a line, and answers each with one. It ends with its
// input, so it never outlives the program that started it.
package load

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A Role is what a process does.
type Role string

const (
	Respond Role = "respond" // a server: a Response for each Request, until the client closes
	Discard Role = "discard" // a server: reads all there is
	Churn   Role = "churn"   // a client of Respond: a connection for each request
	Request Role = "request" // a client of Respond: all requests on one connection
	Bulk    Role = "bulk"    // a client of Discard: 64 KiB an operation
	Idle    Role = "idle"    // a client and server in one, of connections that stay open
	Pod     Role = "pod"     // what lives in a container of the soak; see pod.go
)

// The sizes of a request, of the response to it and of a piece of a bulk transfer, in bytes of payload.
const (
	RequestSize  = 100
	ResponseSize = 1000
	PieceSize    = 64 << 10
)

// An Order is one line of a process' input.
type Order struct {
	Do    string        // run (a client, for a while), open, touch, close (Idle); see pod.go for Pod
	For   time.Duration `json:",omitempty"`
	Rate  int           `json:",omitempty"` // operations a second; 0: as many as there can be
	Count int           `json:",omitempty"` // connections
}

// A Report is the answer. Bytes are payload.
type Report struct {
	Operations     uint64        `json:",omitempty"`
	P99            time.Duration `json:",omitempty"` // of the operations' durations
	Connections    uint64        `json:",omitempty"` // opened, since the process started
	Sent, Received uint64        `json:",omitempty"` // since the process started
	Error          string        `json:",omitempty"`
}

// Main is the process: the arguments are those that Start gave it. It returns when its input ends.
func Main(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("read arguments %q: want a role, a core and an address", arguments)
	}
	role, address := Role(arguments[0]), arguments[2]
	core, err := strconv.Atoi(arguments[1])
	if err != nil {
		return fmt.Errorf("read core: %w", err)
	}
	if role == Pod {
		return pod(address)
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	if err := pin(core); err != nil {
		return err
	}
	switch role {
	case Respond, Discard:
		return server(role, address)
	case Idle:
		h := &idle{address: address}
		return obey(h.do)
	}
	c := &client{role: role, samples: make([]time.Duration, 0, 1<<20)}
	to, err := endpoint(address)
	if err != nil {
		return err
	}
	c.to = to
	return obey(c.do)
}

// pin keeps the calling thread on a core; less than 0: it may go where it wants.
func pin(core int) error {
	if core < 0 {
		return nil
	}
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to core %d: %w", core, err)
	}
	return nil
}

// obey answers orders until there are no more.
func obey(do func(Order) (Report, error)) error {
	orders, answers := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	if err := answers.Encode(Report{}); err != nil { // ready
		return err
	}
	for {
		var o Order
		if orders.Decode(&o) != nil {
			return nil // the end of the input, in order or not
		}
		r, err := do(o)
		if err != nil {
			r.Error = err.Error()
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
}

// server serves one connection after the other until its input ends.
func server(role Role, address string) error {
	to, err := endpoint(address)
	if err != nil {
		return err
	}
	l, err := listen(to)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(Report{}); err != nil {
		return err
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1)) // nothing is written to it: it returns at the end
		os.Exit(0)
	}()
	buffer := make([]byte, PieceSize)
	for {
		fd, err := accept(l)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		if role == Respond {
			respond(fd, buffer)
		} else {
			discard(fd, buffer)
		}
		closeSocket(fd)
	}
}

// respond ends with the client, whatever way it went: an end that the server did not expect is the client's to report.
func respond(fd int, buffer []byte) {
	for readFull(fd, buffer[:RequestSize]) == nil {
		if writeFull(fd, buffer[:ResponseSize]) != nil {
			return
		}
	}
}

func discard(fd int, buffer []byte) {
	for {
		if n, err := read(fd, buffer); n == 0 || err != nil {
			return
		}
	}
}

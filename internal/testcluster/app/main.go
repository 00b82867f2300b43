// Command app is the application of the pods of the tests' node. It counts what it sends and receives, so that what
// netconn reports can be compared.
//
//	app pause                                   waits; the first process of each pod
//	app serve ADDRESS                           answers each request
//	app call COUNT PAUSE ADDRESS...             sends COUNT requests to each address, one connection each; 0: endless
//	app all ADDRESS COUNT PAUSE ADDRESS...      serves and calls
//
// No request is sent any more when there is a file named stop beside JOURNAL.
//
// A request is eight bytes, the lengths of what follows and of the answer, and that many bytes. The answer repeats
// TAG, a digit, the version of the image. After each connection a
// line of JSON is appended to the file JOURNAL (a Connection of this package), if that is set.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Connection is what one end of a connection has counted.
type Connection struct {
	Owner          string // POD/CONTAINER
	Tag, ServerTag string // of the images; the second as the server said it to the client; empty: it did not answer
	Role           string // client or server
	Asked          string // what the client wanted to reach
	Local, Remote  string
	Sent, Received int64
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	failed := make(chan error, 2)
	switch {
	case len(arguments) == 1 && arguments[0] == "pause":
	case len(arguments) == 2 && arguments[0] == "serve":
		go func() { failed <- serve(arguments[1]) }()
	case len(arguments) > 3 && arguments[0] == "call":
		go func() { failed <- call(arguments[1:]) }()
	case len(arguments) > 4 && arguments[0] == "all":
		go func() { failed <- serve(arguments[1]) }()
		go func() { failed <- call(arguments[2:]) }()
	default:
		return fmt.Errorf("arguments %q: the package comment says which there are", arguments)
	}
	select {
	case err := <-failed:
		return err
	case <-ended:
		ending.Store(true)
		time.Sleep(grace) // for requests that are on their way
		return nil
	}
}

// ending is set when the program is asked to end: it sends no more requests, and answers for a while.
var ending atomic.Bool

const grace = 6 * time.Second

func serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go answer(c)
	}
}

func answer(c net.Conn) {
	defer c.Close()
	counted := Connection{Role: "server", Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String()}
	defer func() { journal(counted) }()
	var lengths [8]byte
	for {
		n, err := io.ReadFull(c, lengths[:])
		counted.Received += int64(n)
		if err != nil {
			return
		}
		m, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(lengths[:])))
		counted.Received += m
		if err != nil {
			return
		}
		n, err = c.Write(bytes.Repeat(tag(), int(binary.BigEndian.Uint32(lengths[4:]))))
		counted.Sent += int64(n)
		if err != nil {
			return
		}
	}
}

// call has the arguments COUNT PAUSE ADDRESS...
func call(arguments []string) error {
	count, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	pause, err := time.ParseDuration(arguments[1])
	if err != nil {
		return err
	}
	for i := 0; count == 0 || i < count; i++ {
		for _, address := range arguments[2:] {
			for stopped() {
				time.Sleep(100 * time.Millisecond)
			}
			if err := ask(address, 100+i%900, 1000+i%9000); err != nil {
				fmt.Fprintln(os.Stderr, err) // a service may not be there yet
			}
			time.Sleep(pause)
		}
	}
	return nil
}

func stopped() bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(os.Getenv("JOURNAL")), "stop"))
	return err == nil || ending.Load()
}

func ask(address string, request, response int) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	counted := Connection{
		Role: "client", Asked: address, Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String(),
	}
	defer func() { journal(counted) }()
	message := make([]byte, 8+request)
	binary.BigEndian.PutUint32(message, uint32(request))
	binary.BigEndian.PutUint32(message[4:], uint32(response))
	n, err := c.Write(message)
	counted.Sent += int64(n)
	if err != nil {
		return err
	}
	answer := make([]byte, response)
	n, err = io.ReadFull(c, answer)
	counted.Received += int64(n)
	if n > 0 {
		counted.ServerTag = "v" + string(answer[:1])
	}
	return err
}

// tag is the version of the image, one digit.
func tag() []byte { return []byte(os.Getenv("TAG")) }

var writing sync.Mutex

// journal appends a connection to the file of this process.
func journal(c Connection) {
	path := os.Getenv("JOURNAL")
	if path == "" {
		return
	}
	c.Owner, c.Tag = os.Getenv("POD")+"/"+os.Getenv("CONTAINER"), "v"+string(tag())
	line, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	writing.Lock()
	defer writing.Unlock()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

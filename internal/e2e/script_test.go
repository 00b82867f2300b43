//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// A script executes the orders of a driver. An order is a verb and its arguments: names of connections, which the
// orders that open them give, addresses and numbers.
type script struct {
	listeners map[string]*net.TCPListener // by address
	ends      map[string]*net.TCPConn     // by name
	datagrams map[string]*net.UDPConn     // by name
}

// execute executes an order, and returns why it failed, or nothing.
func (s script) execute(order string) (failure string) {
	verb, arguments, _ := strings.Cut(order, " ")
	do, known := s.verbs()[verb]
	if !known {
		return "no such order"
	}
	if err := do(strings.Fields(arguments)); err != nil {
		return err.Error()
	}
	return ""
}

func (s script) verbs() map[string]func(arguments []string) error {
	return map[string]func([]string) error{
		"listen":        func(a []string) error { return s.listen(a[0]) },
		"accept":        func(a []string) error { return s.accept(a[0], a[1]) },                             // NAME ADDRESS
		"dial":          func(a []string) error { return s.dial(a[0], a[1], strings.Join(a[2:], "")) },      // NAME ADDRESS [LOCAL]
		"send":          func(a []string) error { return s.send(a[0], a[1]) },                               // NAME BYTES
		"receive":       func(a []string) error { return s.receive(a[0], a[1]) },                            // NAME BYTES
		"close":         func(a []string) error { return s.ends[a[0]].Close() },                             // this end first
		"finish":        func(a []string) error { return errors.Join(s.drain(a[0]), s.ends[a[0]].Close()) }, // the other end first
		"reset":         func(a []string) error { return errors.Join(s.ends[a[0]].SetLinger(0), s.ends[a[0]].Close()) },
		"reset-by-peer": func(a []string) error { return s.resetByPeer(a[0]) },
		"serve":         func(a []string) error { go serve(s.listeners[a[0]]); return nil },
		"churn":         func(a []string) error { go churn(a[0]); return nil },
		"visit":         func(a []string) error { return visit(a[0], a[1]) },             // ADDRESS TIMES
		"udp-listen":    func(a []string) error { return s.udpListen(a[0], a[1]) },       // NAME ADDRESS
		"udp-dial":      func(a []string) error { return s.udpDial(a[0], a[1]) },         // NAME ADDRESS
		"udp-send":      func(a []string) error { return s.udpSend(a[0], a[1]) },         // NAME BYTES
		"udp-send-to":   func(a []string) error { return s.udpSendTo(a[0], a[1], a[2]) }, // NAME ADDRESS BYTES
		"udp-receive":   func(a []string) error { return s.udpReceive(a[0]) },            // NAME
		"udp-answer":    func(a []string) error { return s.udpAnswer(a[0], a[1:]) },      // NAME BYTES...
		"udp-close":     func(a []string) error { return s.datagrams[a[0]].Close() },     // NAME
	}
}

func (s script) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.listeners[address] = l.(*net.TCPListener)
	return nil
}

func (s script) accept(name, address string) (err error) {
	s.ends[name], err = s.listeners[address].AcceptTCP()
	return err
}

// dial connects, from a local address if one is given.
func (s script) dial(name, address, local string) error {
	var d net.Dialer
	if local != "" {
		from, err := net.ResolveTCPAddr("tcp", local)
		if err != nil {
			return err
		}
		d.LocalAddr = from
	}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return err
	}
	s.ends[name] = c.(*net.TCPConn)
	return nil
}

func (s script) send(name, bytes string) error {
	n, err := strconv.Atoi(bytes)
	if err == nil {
		_, err = s.ends[name].Write(make([]byte, n))
	}
	return err
}

func (s script) receive(name, bytes string) error {
	n, err := strconv.ParseInt(bytes, 10, 64)
	if err == nil {
		_, err = io.CopyN(io.Discard, s.ends[name], n)
	}
	return err
}

// drain reads until the other end closes.
func (s script) drain(name string) error {
	_, err := io.Copy(io.Discard, s.ends[name])
	return err
}

// resetByPeer waits for a RST from the other end. A FIN is an error.
func (s script) resetByPeer(name string) error {
	err := s.drain(name)
	s.ends[name].Close()
	if err == nil {
		return errors.New("the other end has closed the connection without a reset")
	}
	return nil
}

// serve reads a byte from each connection and closes it, until the process ends.
func serve(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, c, 1)
		c.Close()
	}
}

// visit opens a number of connections, one after the other, each for a byte.
func visit(address, times string) error {
	n, err := strconv.Atoi(times)
	for ; err == nil && n > 0; n-- {
		err = visitOnce(address)
	}
	if err != nil {
		return fmt.Errorf("%w; %d of %s connections are left", err, n+1, times)
	}
	return nil
}

func visitOnce(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	_, sendErr := c.Write([]byte{1})
	_, endErr := io.Copy(io.Discard, c)
	return errors.Join(sendErr, endErr, c.Close())
}

// churn opens one connection after the other until the process ends. An error is that no local port is free for a
// moment.
func churn(address string) {
	for {
		_ = visitOnce(address)
	}
}

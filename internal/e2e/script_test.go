//go:build linux

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// puppetVariable is set in the environment of a puppet: the test binary that does not test.
const puppetVariable = "NETCONN_TEST_PUPPET"

// A dancer is what a puppet has in its hands, by the names that it was told.
type dancer struct {
	listeners map[string]*net.TCPListener // by address
	ends      map[string]*net.TCPConn
}

// dance does what it reads, line by line, and answers each line with one: empty, or why it could not be done. It ends with its input, even
// in the middle of what it does, so that no puppet outlives the test.
func dance() {
	d := dancer{listeners: map[string]*net.TCPListener{}, ends: map[string]*net.TCPConn{}}
	orders := make(chan string)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			orders <- lines.Text()
		}
		os.Exit(0)
	}()
	for order := range orders {
		answer := ""
		if err := d.do(strings.Fields(order)); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(answer)
	}
}

func (d dancer) do(words []string) error {
	switch len(words) {
	case 2:
		return d.doAlone(words[0], words[1])
	case 3:
		return d.doWith(words[0], words[1], words[2])
	case 4:
		return d.dialFrom(words[1], words[2], words[3])
	}
	return fmt.Errorf("understand %q: want two to four words", words)
}

// dialFrom is "dial NAME ADDRESS LOCAL".
func (d dancer) dialFrom(name, address, local string) error {
	from, err := net.ResolveTCPAddr("tcp", local)
	if err != nil {
		return err
	}
	c, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", address)
	if err != nil {
		return err
	}
	d.ends[name] = c.(*net.TCPConn)
	return nil
}

func (d dancer) doAlone(verb, name string) error {
	switch verb {
	case "listen":
		return d.listen(name)
	case "serve":
		go serve(d.listeners[name])
		return nil
	case "churn":
		go churn(name)
		return nil
	case "close":
		return d.ends[name].Close()
	case "reset": // what is unread at the other end is dropped, and it gets a RST instead of a FIN
		return errors.Join(d.ends[name].SetLinger(0), d.ends[name].Close())
	case "finish": // the other end closes first
		_, err := io.Copy(io.Discard, d.ends[name])
		return errors.Join(err, d.ends[name].Close())
	case "break": // the other end resets
		_, err := io.Copy(io.Discard, d.ends[name])
		d.ends[name].Close()
		if err == nil {
			return errors.New("wait for the reset: the connection was closed by agreement")
		}
		return nil
	}
	return fmt.Errorf("understand %q", verb)
}

func (d dancer) doWith(verb, name, object string) (err error) {
	switch verb {
	case "dial":
		var c net.Conn
		if c, err = net.Dial("tcp", object); err == nil {
			d.ends[name] = c.(*net.TCPConn)
		}
		return err
	case "accept":
		d.ends[name], err = d.listeners[object].AcceptTCP()
		return err
	}
	n, err := strconv.Atoi(object)
	if err != nil {
		return err
	}
	switch verb {
	case "visit":
		return visit(name, n)
	case "send":
		_, err = d.ends[name].Write(make([]byte, n))
		return err
	case "receive":
		_, err = io.CopyN(io.Discard, d.ends[name], int64(n))
		return err
	}
	return fmt.Errorf("understand %q", verb)
}

func (d dancer) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	d.listeners[address] = l.(*net.TCPListener)
	return nil
}

// serve answers every connection by its end, for ever.
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
func visit(address string, times int) error {
	for range times {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		_, sendErr := c.Write([]byte{1})
		_, endErr := io.Copy(io.Discard, c)
		if err := errors.Join(sendErr, endErr, c.Close()); err != nil {
			return err
		}
	}
	return nil
}

// churn opens one connection after the other, for ever.
func churn(address string) {
	for {
		c, err := net.Dial("tcp", address)
		if err != nil {
			continue // the local ports are used up for a moment
		}
		_, _ = c.Write([]byte{1})
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
}

//go:build linux

package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// largest is the most that a message of the soak carries; most carry less.
const largest = 20_000

// A podProcess runs in a container of the soak: a server (listen) or a client of one, that counts what it did, to the
// byte. Its orders: listen; churn, for a while and at a rate; open and reopen, a count of connections that stay;
// touch, to use all of these; close.
type podProcess struct {
	address string
	stay    []net.Conn
	report  Report
}

func pod(address string) error {
	r := &podProcess{address: address}
	return obey(func(o Order) (Report, error) {
		err := r.do(o)
		return r.report, err
	})
}

func (r *podProcess) do(o Order) error {
	switch o.Do {
	case "listen":
		return r.listen()
	case "churn":
		return r.churn(o)
	case "open":
		return r.open(o.Count)
	case "touch":
		return r.touch()
	case "reopen":
		return errors.Join(r.close(o.Count), r.open(o.Count))
	case "close":
		return r.close(len(r.stay))
	}
	return fmt.Errorf("understand %q: no such order", o.Do)
}

// listen serves in the background. Multipath TCP is off: what accepts below such a listener, older than netconn, has
// no owner at once.
func (r *podProcess) listen() error {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), "tcp4", r.address)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return nil
}

// serve answers until the client is done. A message says how long it is and how long the answer is to be.
func serve(c net.Conn) {
	defer c.Close()
	buffer := make([]byte, largest)
	for {
		if _, err := io.ReadFull(c, buffer[:8]); err != nil {
			return
		}
		request, response := binary.BigEndian.Uint32(buffer), binary.BigEndian.Uint32(buffer[4:])
		if _, err := io.ReadFull(c, buffer[8:request]); err != nil {
			return
		}
		if _, err := c.Write(buffer[:response]); err != nil {
			return
		}
	}
}

func (r *podProcess) dial() (net.Conn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false)
	c, err := d.Dial("tcp4", r.address)
	if err == nil {
		r.report.Connections++
	}
	return c, err
}

func (r *podProcess) exchange(c net.Conn) error {
	var buffer [largest]byte
	request, response := 8+rand.IntN(largest-8), 1+rand.IntN(largest)
	if rand.IntN(10) > 0 { // most are small
		request, response = 8+request%500, 1+response%1000
	}
	binary.BigEndian.PutUint32(buffer[:], uint32(request))
	binary.BigEndian.PutUint32(buffer[4:], uint32(response))
	n, err := c.Write(buffer[:request])
	r.report.Sent += uint64(n)
	if err != nil {
		return err
	}
	n, err = io.ReadFull(c, buffer[:response])
	r.report.Received += uint64(n)
	return err
}

// churn opens, uses and closes connections, at most Rate of them a second.
func (r *podProcess) churn(o Order) error {
	start := time.Now()
	for i := 1; time.Since(start) < o.For; i++ {
		c, err := r.dial()
		if err != nil {
			return err
		}
		if err := errors.Join(r.exchange(c), c.Close()); err != nil {
			return err
		}
		time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(o.Rate))))
	}
	return nil
}

func (r *podProcess) open(count int) error {
	for range count {
		c, err := r.dial()
		if err != nil {
			return err
		}
		r.stay = append(r.stay, c)
	}
	return r.touch()
}

func (r *podProcess) touch() error {
	for _, c := range r.stay {
		if err := r.exchange(c); err != nil {
			return err
		}
	}
	return nil
}

// close closes the oldest.
func (r *podProcess) close(count int) error {
	var errs []error
	count = min(count, len(r.stay))
	for _, c := range r.stay[:count] {
		errs = append(errs, c.Close())
	}
	r.stay = append(r.stay[:0], r.stay[count:]...)
	return errors.Join(errs...)
}

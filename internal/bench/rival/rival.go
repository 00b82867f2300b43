//go:build linux

// Package rival loads the programs to compare with: they count the bytes of connections on the data path, at each call
// or for each packet. They do nothing else, so a real tool of such a design costs at least as much.
package rival

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A Rival is what is loaded, from Calls or Packets to Close.
type Rival struct {
	objects  rivalObjects
	programs []*ebpf.Program
	closers  []io.Closer
}

// Calls counts at each send and receive of each TCP socket of the machine.
func Calls() (*Rival, error) {
	return load(func(r *Rival) error {
		return errors.Join(r.trace(r.objects.CallSent), r.trace(r.objects.CallReceived))
	})
}

// Packets counts each packet on one interface of a namespace, both ways.
func Packets(n *netns.Namespace, name string) (*Rival, error) {
	return load(func(r *Rival) error {
		return n.Do(func() error {
			i, err := net.InterfaceByName(name)
			if err != nil {
				return fmt.Errorf("find interface %s: %w", name, err)
			}
			return errors.Join(
				r.tap(r.objects.PacketSent, ebpf.AttachTCXEgress, i.Index),
				r.tap(r.objects.PacketReceived, ebpf.AttachTCXIngress, i.Index),
			)
		})
	})
}

func load(attach func(*Rival) error) (*Rival, error) {
	r := &Rival{}
	if err := loadRivalObjects(&r.objects, nil); err != nil {
		return nil, fmt.Errorf("load comparison programs: %w", err)
	}
	r.closers = append(r.closers, &r.objects)
	if err := attach(r); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Rival) trace(p *ebpf.Program) error {
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	return r.attached(p, l, err)
}

func (r *Rival) tap(p *ebpf.Program, at ebpf.AttachType, index int) error {
	l, err := link.AttachTCX(link.TCXOptions{Program: p, Attach: at, Interface: index})
	return r.attached(p, l, err)
}

func (r *Rival) attached(p *ebpf.Program, l io.Closer, err error) error {
	if err != nil {
		return fmt.Errorf("attach %s: %w", p, err)
	}
	r.programs, r.closers = append(r.programs, p), append(r.closers, l)
	return nil
}

// Count returns how many connections are in the table.
func (r *Rival) Count() (n int) {
	var key rivalTuple
	var value rivalTraffic
	for entries := r.objects.Connections.Iterate(); entries.Next(&key, &value); {
		n++
	}
	return n
}

// Time returns how long the attached programs have run, while statistics were on, and how often.
func (r *Rival) Time() (runs uint64, spent time.Duration, err error) {
	for _, p := range r.programs {
		s, err := p.Stats()
		if err != nil {
			return 0, 0, fmt.Errorf("read statistics of %s: %w", p, err)
		}
		runs, spent = runs+s.RunCount, spent+s.Runtime
	}
	return runs, spent, nil
}

// Close detaches and unloads everything.
func (r *Rival) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i].Close())
	}
	r.closers = nil
	return errors.Join(errs...)
}

//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/thread"
)

// An idleNamespace is a network namespace with an open connection. A thread is in it: the collector finds a namespace
// by what is in it.
type idleNamespace struct {
	namespace *netns.Namespace
	ends      []net.Conn
	leave     chan struct{}
}

func openIdleNamespace() (*idleNamespace, error) {
	n, err := testbed.NewNamespace()
	if err != nil {
		return nil, err
	}
	i := &idleNamespace{namespace: n, leave: make(chan struct{})}
	opened := make(chan error)
	thread.Go(func() {
		opened <- errors.Join(n.Enter(), i.connect())
		<-i.leave
	})
	if err := <-opened; err != nil {
		i.close()
		return nil, fmt.Errorf("open a connection: %w", err)
	}
	return i, nil
}

// connect opens a connection with both ends in the namespace of the calling thread.
func (i *idleNamespace) connect() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	i.ends = append(i.ends, client)
	server, err := l.Accept()
	if err != nil {
		return err
	}
	i.ends = append(i.ends, server)
	return nil
}

func (i *idleNamespace) close() {
	for _, c := range i.ends {
		c.Close()
	}
	close(i.leave)
	i.namespace.Close()
}

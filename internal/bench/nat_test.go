//go:build linux

package main

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/sink"
)

func TestByNAT(t *testing.T) {
	attempt := func(name, kind string, n int64) sink.Series {
		return sink.Series{
			Resource: map[string]string{"process.executable.name": name}, Metric: "netconn.attempts",
			Attributes: map[string]string{"netconn.nat": kind}, Total: n,
		}
	}
	closed := attempt("load", "dnat", 9)
	closed.Metric = "netconn.closed"
	got := byNAT([]sink.Series{
		attempt("load", "dnat", 1), attempt("load", "dnat", 2), attempt("load", "none", 4), attempt("other", "none", 8), closed,
	}, sink.Executable("load"))
	if diff := cmp.Diff(map[string]int64{"dnat": 3, "none": 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is asked for at the service's address is answered by the server.
func TestTranslate(t *testing.T) {
	p := newPair(t)
	if err := translate(p, serviceAddress); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	err := p.Server.Do(func() (err error) {
		l, err = net.Listen("tcp4", lab.ServerAddress+":9000")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = p.Client.Do(func() error {
		c, err := net.Dial("tcp4", serviceAddress+":9000")
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
}

func TestOpenQuiet(t *testing.T) {
	closeAll, err := openQuiet()
	if err != nil {
		t.Fatal(err)
	}
	closeAll()
}

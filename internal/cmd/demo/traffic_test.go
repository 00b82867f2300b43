//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// deployment makes the demo's mesh.
func deployment(t *testing.T) *bookinfo.Deployment {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a mesh needs root"))
	}
	w, err := newDeployment(mesh.Unique("netconn-demo"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// A demo with a table that ends shows the sockets before it, and what the processes counted after it. The request of
// one client takes connections between all services.
func TestShow(t *testing.T) {
	w := deployment(t)
	var out bytes.Buffer
	if err := show(t.Context(), options{program: []string{"echo", "the table"}}, w, &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	var requests, connections, sent, received int
	_, last, _ := strings.Cut(text, "The client sent ")
	_, err := fmt.Sscanf(last, "%d requests. By the processes' own count that took %d connections, %d bytes there and %d back.",
		&requests, &connections, &sent, &received)
	if err != nil || requests < 4 || connections < 4 || sent == 0 || received < 4*5183 {
		t.Errorf("it ends with %q, %v", last, err)
	}
	before, after := strings.Index(text, "127.0.0.1:15001"), strings.Index(text, "the table\n")
	if before < 0 || after < before {
		t.Errorf("sockets at %d, the table at %d of\n%s", before, after, text)
	}
	if !strings.HasPrefix(text, "A mesh is up: 2 nodes, ") {
		t.Errorf("it begins with %.60q", text)
	}
}

// A program that fails is an error, and no more requests are sent after it.
func TestShowFails(t *testing.T) {
	w := deployment(t)
	var out bytes.Buffer
	err := show(t.Context(), options{program: []string{"false"}}, w, &out)
	if err == nil || !strings.Contains(err.Error(), "show the table: exit status 1") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(out.String(), "The client sent") {
		t.Errorf("it counts all the same:\n%s", &out)
	}
	before, _, err := w.Totals()
	time.Sleep(3 * pace)
	if after, _, afterErr := w.Totals(); errors.Join(err, afterErr) != nil || after != before {
		t.Errorf("%+v at the end, %+v later", before, after)
	}
}

// The picture of the README needs all sockets in the table: without them there is an error, with what the table had.
func TestPictureWithoutTheSockets(t *testing.T) {
	w := deployment(t)
	var out bytes.Buffer
	err := show(t.Context(), options{markdown: true, program: []string{"echo", "OWNER  PEER  NAT"}}, w, &out)
	if err == nil || !strings.HasPrefix(err.Error(), "wait for the sockets in the table: it has\nOWNER  PEER  NAT") {
		t.Errorf("got %v", err)
	}
	if out.Len() != 0 {
		t.Errorf("it prints\n%s", &out)
	}
}

// The six sockets of a path are three connections: of the application, between the sidecars, and of the other
// application.
func TestRowsOf(t *testing.T) {
	w := deployment(t)
	client, err := send(w)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := path(w)
	if err := errors.Join(err, client.end()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rowsOf(w, sockets) {
		pod := "of no pod"
		for _, m := range w.Members {
			if m.ID == r.container && m.ID != "" {
				pod = m.Pod.Name
			}
		}
		got = append(got, strings.Join([]string{pod, r.owner, r.arrow, r.peer}, " "))
	}
	want := []string{
		"productpage productpage -> envoy", "productpage envoy <- productpage",
		"productpage envoy -> envoy", "reviews-v3 envoy <- envoy",
		"reviews-v3 envoy -> reviews", "reviews-v3 reviews <- envoy",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// A lock that cannot be opened is an error that says so, and not a demo that runs.
func TestLockFails(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	if _, err := take("netconn-demo"); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "open the lock: ") {
		t.Errorf("got %v", err)
	}
	if err := down("netconn-demo"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("down: %v", err)
	}
}

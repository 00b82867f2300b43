package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/names"
)

func TestCommittedListsAreFresh(t *testing.T) {
	text, err := os.ReadFile("../../../receiver/netconnreceiver/metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if expand(string(text)) != string(text) {
		t.Error("a list of attributes is stale: run go generate ./receiver/...")
	}
	if got := strings.Count(string(text), names.PeerName.Key()+","); got < 10 {
		t.Errorf("only %d lists have the attributes of flows", got)
	}
}

func TestWhole(t *testing.T) {
	without := func(keys ...string) []string {
		return slices.DeleteFunc(flowKeys(), func(k string) bool { return slices.Contains(keys, k) })
	}
	flows := without("dns.question.name")
	lookups := without("netconn.nat", "netconn.original_destination.name", "netconn.original_destination.port",
		"netconn.original_destination.address", "netconn.original_source.name", "netconn.peer.domain")
	if got := whole([]string{"netconn.peer.name", "dns.question.name"}); !slices.Equal(got, lookups) {
		t.Errorf("of a look-up: got %q, want %q", got, lookups)
	}
	for name, tt := range map[string]struct{ keys, before, after []string }{
		"of a flow":           {[]string{"netconn.role", "netconn.peer.name"}, nil, nil},
		"with one of its own": {[]string{"error.type", "netconn.peer.name"}, []string{"error.type"}, nil},
		"with some after it":  {[]string{"netconn.peer.name", "client.port"}, nil, []string{"client.port"}},
		"with some among them": {
			[]string{"a.b", "netconn.role", "c.d", "netconn.peer.name"}, []string{"a.b"}, []string{"c.d"},
		},
	} {
		if got, want := whole(tt.keys), slices.Concat(tt.before, flows, tt.after); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// Every attribute is in the list, once.
func TestFlowKeys(t *testing.T) {
	keys := flowKeys()
	for a := range names.Attributes {
		if n := len(slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k != a.Key() })); n != 1 {
			t.Errorf("%s is there %d times", a, n)
		}
	}
}

func TestExpandLeavesTheRest(t *testing.T) {
	const text = `metrics:
  a:
    attributes: [network.transport, server.port]
  b:
    # of a flow
    attributes:
      [error.type,
       netconn.peer.name]
events: {}
`
	got := expand(text)
	if !strings.HasPrefix(got, text[:strings.Index(text, "      [")]) || !strings.HasSuffix(got, "]\nevents: {}\n") {
		t.Errorf("more than the list has changed:\n%s", got)
	}
	if !strings.Contains(got, "[error.type, netconn.role,") {
		t.Errorf("the list is not whole:\n%s", got)
	}
	if again := expand(got); again != got {
		t.Errorf("a second time it changes:\n%s", again)
	}
	for line := range strings.Lines(got) {
		if len(line) > lineWidth+1 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

// A list that fits a line is one line, with its brackets.
func TestWrap(t *testing.T) {
	if got, want := wrap("  ", []string{"a.b", "c.d"}), "  [a.b, c.d]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	long := strings.Repeat("a", lineWidth)
	if got, want := wrap("", []string{"b", long}), "[b,\n "+long+"]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/untraced"
)

// attempts is how often a test runs at most, if the kernel hides ends of connections each time.
const attempts = 4

// repeatHidden runs a test again while it reports that the kernel has hidden ends of connections from netconn.
func repeatHidden(t *testing.T, once func(t *testing.T) (hidden bool)) {
	t.Helper()
	for range attempts {
		hidden := false
		if !t.Run("attempt", func(t *testing.T) { hidden = once(t) }) || !hidden {
			return
		}
	}
	testnet.Require(t, fmt.Errorf("it has hidden ends of connections in each of %d attempts", attempts))
}

// wantOrHidden waits as want does. It reports whether only ends are missing, at most as many as the kernel has handled
// packets without running programs. Any other difference is a failure.
func (s *sink) wantOrHidden(want counts, inARow int, p untraced.Packets) (hidden bool) {
	s.t.Helper()
	last, diff := s.settle(want, inARow)
	if diff == "" {
		return false
	}
	packets := p.Count()
	ends, only := want.missingEnds(last.countsOf(want))
	if !only || ends == 0 || uint64(ends) > packets {
		s.t.Fatalf("counts, with %d packets handled without programs (-want +got):\n%s", packets, diff)
	}
	s.t.Logf("%d ends are missing, and %d packets were handled without programs (-want +got):\n%s", ends, packets, diff)
	return true
}

// missingEnds returns how many ends of connections are missing from got, and whether that explains all differences. The
// other end of a missing one has a peer that is not known.
func (want counts) missingEnds(got counts) (ends int64, only bool) {
	only = true
	var alone int64
	for key, series := range want {
		known, n := withPeers(series, got[key])
		alone += n
		n, explained := missingEndsOf(series, known)
		ends += n
		only = only && explained
	}
	return ends, only && alone <= ends
}

// withPeers returns what was counted with the peers that are wanted where they are not known, and how many ends that
// changes.
func withPeers(want, got map[string]int64) (known map[string]int64, alone int64) {
	peers := make(map[string]string) // the wanted series by their names without a peer; empty: there are several
	for name := range want {
		if _, several := peers[withoutPeer(name)]; several {
			name = ""
		}
		peers[withoutPeer(name)] = name
	}
	known = make(map[string]int64)
	for name, n := range got {
		if with := peers[withoutPeer(name)]; with != "" && strings.Contains(name, "netconn.peer.type=private") {
			if metricOf(name) == "netconn.attempts" && with != name {
				alone += n
			}
			name = with
		}
		known[name] += n
	}
	return known, alone
}

var peerAttribute = regexp.MustCompile(`netconn\.peer\.[^,}]*(, )?`)

func withoutPeer(name string) string { return peerAttribute.ReplaceAllString(name, "") }

// missingEndsOf does so for a resource. A missing end takes its attempt along or leaves its connection active, and it may
// take bytes along. Nothing else becomes less, nothing becomes more, and no series appears.
func missingEndsOf(want, got map[string]int64) (ends int64, only bool) {
	only = true
	missing := make(map[string]int64)
	for name, n := range want {
		metric := metricOf(name)
		missing[metric] += n - got[name]
		if metric == "netconn.active" {
			only = only && got[name] >= n
		} else {
			only = only && got[name] <= n
		}
	}
	for name := range got {
		_, wanted := want[name]
		only = only && wanted
	}
	ends = missing["netconn.closed"]
	only = only && ends == missing["netconn.attempts"]-missing["netconn.active"]
	return ends, only && (ends > 0 || missing["netconn.io"] == 0)
}

func TestMissingEnds(t *testing.T) {
	const attempts, active, closed, io = "netconn.attempts{}", "netconn.active{}", "netconn.closed{}", "netconn.io{}"
	want := map[string]int64{attempts: 10, active: 2, closed: 8, io: 100}
	for name, x := range map[string]struct {
		change map[string]int64
		ends   int64
		only   bool
	}{
		"equal":             {only: true},
		"never reported":    {map[string]int64{attempts: 9, closed: 7, io: 90}, 1, true},
		"still open":        {map[string]int64{active: 3, closed: 7, io: 90}, 1, true},
		"one of each":       {map[string]int64{attempts: 9, active: 3, closed: 6}, 2, true},
		"bytes":             {map[string]int64{io: 99}, 0, false},
		"too many bytes":    {map[string]int64{attempts: 9, closed: 7, io: 101}, 1, false},
		"an attempt only":   {map[string]int64{attempts: 9}, 0, false},
		"an end only":       {map[string]int64{closed: 7}, 1, false},
		"a live connection": {map[string]int64{active: 1, attempts: 9}, 0, false},
		"open twice":        {map[string]int64{active: 4, closed: 7}, 1, false},
		"an end twice":      {map[string]int64{closed: 9}, -1, false},
		"other attributes":  {map[string]int64{attempts: 9, closed: 7, "netconn.attempts{x=y}": 1}, 1, false},
		"an attempt more":   {map[string]int64{attempts: 9, active: 3, closed: 7}, 1, false},
	} {
		got := maps.Clone(want)
		maps.Copy(got, x.change)
		if ends, only := (counts{"": want}).missingEnds(counts{"": got}); ends != x.ends || only != x.only {
			t.Errorf("%s: %d ends, only them: %v; want %d, %v", name, ends, only, x.ends, x.only)
		}
	}
}

// The other end of a missing one does not know its peer. It is as many ends as are missing, or it is another defect.
func TestMissingPeers(t *testing.T) {
	const known, private = "netconn.attempts{netconn.peer.name=a, netconn.peer.type=pod, x=y}", "netconn.attempts{netconn.peer.type=private, x=y}"
	const knownEnd, privateEnd = "netconn.closed{netconn.peer.name=a, netconn.peer.type=pod, x=y}", "netconn.closed{netconn.peer.type=private, x=y}"
	want := counts{"client": {known: 10, knownEnd: 10}, "server": {"netconn.attempts{}": 10, "netconn.closed{}": 10}}
	for name, x := range map[string]struct {
		server, alone int64
		private       string
		only          bool
	}{
		"one end":           {9, 1, private, true},
		"two clients":       {9, 2, private, false},
		"no end is missing": {10, 1, private, false},
		"another peer":      {9, 1, "netconn.attempts{netconn.peer.type=public, x=y}", false},
	} {
		got := counts{
			"client": {known: 10 - x.alone, x.private: x.alone, knownEnd: 10 - x.alone, privateEnd: x.alone},
			"server": {"netconn.attempts{}": x.server, "netconn.closed{}": x.server},
		}
		if _, only := want.missingEnds(got); only != x.only {
			t.Errorf("%s: explained: %v", name, only)
		}
	}
}

package dns

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// How long an answer holds, and for how long it is known after that. An attempt to connect is reported when it has
// failed, which takes two minutes.
const (
	leastLife = time.Minute
	mostLife  = 24 * time.Hour
	afterlife = 3 * time.Minute
)

// Limits of Names. Beyond them the names that end first are dropped.
const (
	maxNames      = 32_768 // of all askers
	maxAskerNames = 1024
	maxHistory    = 8 // names of one address, which many sites behind one address have
)

// clockSlack is how far two times of the kernel may be apart in this program, which converts them one reading at a
// time.
const clockSlack = 5 * time.Millisecond

// An Asker is who got an answer: a container or a pod, the programs of a host's network namespace, or as much as a
// server knows of its client. Comparable.
type Asker struct {
	Owner     conn.Owner     // a pod or a container
	Namespace conn.Namespace // of programs without a container, or of a client beside the server
	Address   netip.Addr     // of a client that only a server saw
}

// Names knows the names of addresses, as the answers had them that each asker got. The name is the one that was asked
// for, whatever the answer calls it. An answer holds for its TTL, and for a minute at least. The zero value is empty.
// Times are those of the answers. Not safe for concurrent use.
type Names struct {
	askers  map[Asker]askerNames
	held    int
	evicted uint64
	swept   time.Time
}

// askerNames are those of one asker by address, the latest answer first.
type askerNames map[netip.Addr][]heldName

type heldName struct {
	name        string
	from, until time.Time
}

// Learn takes an answer that an asker got at a time.
func (n *Names) Learn(asker Asker, name string, addresses []Address, at time.Time) {
	for i := range addresses {
		a := &addresses[i]
		if a.Address.IsLoopback() || a.Address.IsUnspecified() {
			continue
		}
		n.learn(asker, a.Address, heldName{name: name, from: at, until: at.Add(life(a.TTL))})
	}
}

// life returns how long an answer holds. A TTL with the upper bit is zero (RFC 2181 section 8).
func life(ttl uint32) time.Duration {
	if ttl > 1<<31-1 {
		ttl = 0
	}
	return min(max(time.Duration(ttl)*time.Second, leastLife), mostLife)
}

func (n *Names) learn(asker Asker, address netip.Addr, latest heldName) {
	known := n.askers[asker]
	history, again := known[address]
	if !again {
		n.makeRoom(asker, latest.from)
		if known = n.askers[asker]; known == nil { // or it was dropped
			known = make(askerNames)
			if n.askers == nil {
				n.askers = make(map[Asker]askerNames)
			}
			n.askers[asker] = known
		}
		n.held++
	}
	if again && history[0].name == latest.name {
		history[0].until = later(history[0].until, latest.until)
		return
	}
	if len(history) == maxHistory {
		history = history[:maxHistory-1]
	}
	known[address] = slices.Insert(history, 0, latest)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Find returns the name that an asker got an address for, as the latest answer before a time has it that held then.
func (n *Names) Find(asker Asker, address netip.Addr, at time.Time) (name string, found bool) {
	for _, a := range n.askers[asker][address] {
		if !a.from.After(at.Add(clockSlack)) && !a.until.Before(at) {
			return a.name, true
		}
	}
	return "", false
}

// Held returns how many names of addresses are known, and how many were dropped that still held.
func (n *Names) Held() (held int, evicted uint64) { return n.held, n.evicted }

// makeRoom has room for one more address of an asker. An asker at its limit loses names of its own. At the limit for
// all, the one with the most does.
func (n *Names) makeRoom(asker Asker, now time.Time) {
	if len(n.askers[asker]) >= maxAskerNames {
		n.shrink(asker, now)
	}
	if n.held < maxNames {
		return
	}
	if now.Sub(n.swept) >= leastLife {
		n.swept = now
		for a := range n.askers {
			n.expire(a, now)
		}
	}
	if n.held >= maxNames {
		n.shrink(n.largest(), now)
	}
}

func (n *Names) largest() (largest Asker) {
	most := 0
	for a, known := range n.askers {
		if len(known) > most {
			largest, most = a, len(known)
		}
	}
	return largest
}

// expire drops the names that an asker's connections cannot have any more.
func (n *Names) expire(asker Asker, now time.Time) {
	known := n.askers[asker]
	before := len(known)
	maps.DeleteFunc(known, func(_ netip.Addr, history []heldName) bool {
		return now.Sub(last(history)) > afterlife
	})
	n.held -= before - len(known)
	if len(known) == 0 {
		delete(n.askers, asker)
	}
}

// shrink drops what has expired; if that is less than a quarter, also those that end first.
func (n *Names) shrink(asker Asker, now time.Time) {
	most := len(n.askers[asker]) * 3 / 4
	n.expire(asker, now)
	known := n.askers[asker]
	if len(known) <= most {
		return
	}
	ends := slices.SortedFunc(maps.Keys(known), func(a, b netip.Addr) int {
		return cmp.Or(last(known[a]).Compare(last(known[b])), a.Compare(b))
	})
	for _, a := range ends[:len(ends)-most] {
		if !last(known[a]).Before(now) {
			n.evicted++
		}
		delete(known, a)
		n.held--
	}
	if len(known) == 0 {
		delete(n.askers, asker)
	}
}

// last returns when the last answer of a history ends.
func last(history []heldName) (until time.Time) {
	for i := range history {
		until = later(until, history[i].until)
	}
	return until
}

package conntrack

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// present tells that the kernel has connection tracking, as a module or built in. It is of the initial namespace, and visible in all.
const present = "/proc/sys/net/netfilter/nf_conntrack_max"

// sourcePause is how long it takes from one attempt to find a source to the next: connection tracking may be loaded at any time.
const sourcePause = 30 * time.Second

// Tables are the connection tracking tables of every network namespace of the machine, from Open to Close.
type Tables struct {
	options  Options
	room     *room
	registry *registry
	lookup   *lookup // nil: the kernel has no such function (yet)
	netlink  *asker  // nil: the kernel has no connection tracking (yet)
	tried    time.Time
	closers  []io.Closer // in the order in which they were opened
	stats    Stats

	queries  []query // of one round, with the questions that they are of
	of       []int
	answered []Answer
	answers  []Answer // of one call
}

// Open prepares to ask. The error is a sentence on what is missing and what to do.
func Open(o Options, now time.Time) (*Tables, error) {
	t := &Tables{options: o}
	if err := t.open(now); err != nil {
		return nil, errors.Join(explain(err), t.Close())
	}
	return t, nil
}

func (t *Tables) open(now time.Time) (err error) {
	if t.room, err = openRoom(); err != nil {
		return err
	}
	t.closers = append(t.closers, t.room)
	if t.registry, err = openRegistry(t.room, filepath.Join("/", t.options.Root, "proc"), now); err != nil {
		return err
	}
	t.closers = append(t.closers, t.registry)
	return t.choose(now)
}

func explain(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("address translation is not resolved: it takes CAP_SYS_ADMIN and CAP_NET_ADMIN: %w", err)
	}
	return fmt.Errorf("address translation is not resolved: %w", err)
}

// choose looks for a source, the better one first. Where the kernel has no connection tracking there is none, and nothing is translated.
// Asking must not have it loaded.
func (t *Tables) choose(now time.Time) error {
	t.tried = now
	if _, err := os.Stat(present); err != nil {
		return nil
	}
	t.netlink = &asker{enter: func(n *namespace) (*os.File, error) { return t.registry.enter(now, n) }}
	t.stats.Source = Netlink
	if t.options.Source == Netlink {
		return nil
	}
	l, err := openLookup(t.room)
	if err != nil {
		if t.options.Source == Lookup {
			return err
		}
		return nil
	}
	t.lookup, t.stats.Source = l, Lookup
	t.closers = append(t.closers, l)
	return nil
}

// Warnings name what costs more or is known later than it could be, each in a sentence.
func (t *Tables) Warnings() []string {
	if t.registry.deaf == nil {
		return nil
	}
	return []string{fmt.Sprintf("changes of interfaces are seen a minute late: %v", t.registry.deaf)}
}

// Ask answers questions, in their order. What it returns is valid until the next call.
func (t *Tables) Ask(now time.Time, questions []Question) []Answer {
	t.answers = slices.Grow(t.answers[:0], len(questions))[:len(questions)]
	answers := t.answers
	t.registry.refresh()
	if t.lookup == nil && t.options.Source != Netlink && now.Sub(t.tried) >= sourcePause {
		_ = t.choose(now) // as before
	}
	if t.netlink == nil {
		for i := range answers {
			answers[i] = Answer{Result: NoEntry}
		}
		return t.count(answers)
	}
	t.answer(now, questions, answers, func(int) bool { return true })
	if t.forget(questions, answers) {
		t.answer(now, questions, answers, func(i int) bool { return answers[i].Result == NoNamespace })
	}
	if t.learn(now, questions, answers) {
		t.answer(now, questions, answers, func(i int) bool { return answers[i].Result == NoEntry })
	}
	return t.count(answers)
}

func (t *Tables) count(answers []Answer) []Answer {
	for i := range answers {
		t.stats.Answers[answers[i].Result]++
	}
	return answers
}

// answer asks about some of the questions, in every zone that is known of their namespaces.
func (t *Tables) answer(now time.Time, questions []Question, answers []Answer, which func(int) bool) {
	t.queries, t.of = t.queries[:0], t.of[:0]
	for i := range questions {
		if !which(i) {
			continue
		}
		n, early := t.registry.find(now, questions[i].Namespace, questions[i].Process)
		if n == nil {
			answers[i] = Answer{Result: NoNamespace}
			if early {
				answers[i].Result = Early
			}
			continue
		}
		answers[i] = Answer{Result: NoEntry}
		t.add(n, 0, &questions[i], i)
		for _, zone := range n.zones.known {
			t.add(n, zone, &questions[i], i)
		}
	}
	t.run()
	for i, a := range t.answered {
		q := t.of[i]
		answers[q] = merge(questions[q], answers[q], a)
	}
}

func (t *Tables) add(n *namespace, zone uint16, q *Question, of int) {
	protocol := q.Protocol
	if protocol == 0 {
		protocol = TCP
	}
	t.queries = append(t.queries, query{namespace: n, zone: zone, protocol: protocol, tuple: q.Tuple})
	t.of = append(t.of, of)
}

// run answers the queries, from the better source as far as it knows their zones.
func (t *Tables) run() {
	t.answered = slices.Grow(t.answered[:0], len(t.queries))[:len(t.queries)]
	if t.lookup == nil {
		t.netlink.ask(t.queries, t.answered)
		return
	}
	if err := t.lookup.ask(t.queries, t.answered); err != nil {
		for i := range t.answered {
			t.answered[i] = Answer{Result: Failed}
		}
	}
	if !t.lookup.zones {
		t.runZoned()
	}
}

// runZoned asks netlink about the zones that the kernel's function does not know.
func (t *Tables) runZoned() {
	var zoned []query
	var at []int
	for i, q := range t.queries {
		if q.zone != 0 {
			zoned, at = append(zoned, q), append(at, i)
		}
	}
	if len(zoned) == 0 {
		return
	}
	answers := make([]Answer, len(zoned))
	t.netlink.ask(zoned, answers)
	for i, a := range answers {
		t.answered[at[i]] = a
	}
}

// merge adds the answer of one zone to those of the zones before. A translation counts more than an entry without one: a packet may pass
// several zones of a namespace. Two translations that differ are no answer.
func merge(q Question, before, a Answer) Answer {
	switch {
	case a.Result == NoEntry || before.Result == Ambiguous:
		return before
	case a.Result != Found:
		if before.Result == NoEntry {
			return a
		}
		return before
	case before.Result != Found || before.Tuple == q.Tuple:
		return a
	case a.Tuple == q.Tuple || a.Tuple == before.Tuple:
		return before
	}
	return Answer{Result: Ambiguous}
}

// forget lets go of the namespaces that the kernel says have ended, so that another one that has the inode now is found.
func (t *Tables) forget(questions []Question, answers []Answer) (some bool) {
	for i, a := range answers {
		if a.Result != NoNamespace {
			continue
		}
		if n := t.registry.inodes[questions[i].Namespace]; n != nil {
			t.registry.forget(n)
			some = true
		}
	}
	return some
}

// learn reads the tables in which something was not found, for their zones.
func (t *Tables) learn(now time.Time, questions []Question, answers []Answer) (found bool) {
	for i, a := range answers {
		if a.Result != NoEntry {
			continue
		}
		n := t.registry.inodes[questions[i].Namespace]
		if n == nil || now.Before(n.zones.next) {
			continue
		}
		t.stats.Dumps++
		more, _ := t.registry.learn(now, n) // what cannot be read has no zones that are known
		found = found || more
	}
	return found
}

// Local tells whether an address belongs to an interface of a namespace.
func (t *Tables) Local(now time.Time, inode uint32, a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	n, _ := t.registry.find(now, inode, 0)
	if n == nil {
		return false
	}
	v, err := t.registry.see(now, n)
	if err != nil {
		return false
	}
	_, local := v.addresses[a.WithZone("")]
	return local
}

// Outer returns the namespace at the other end of the interface by which packets leave a namespace for elsewhere; 0: they leave the
// machine, or go nowhere. The error says that there is one, and it is not known which, or not yet (ErrEarly).
func (t *Tables) Outer(now time.Time, inode uint32, to netip.Addr) (uint32, error) {
	n, early := t.registry.find(now, inode, 0)
	switch {
	case early:
		return 0, fmt.Errorf("find network namespace %d: %w", inode, ErrEarly)
	case n == nil:
		return 0, fmt.Errorf("find network namespace %d: it has ended, or cannot be entered", inode)
	}
	v, err := t.registry.see(now, n)
	if err != nil {
		return 0, err
	}
	h := v.outer[0]
	if to.Is6() {
		h = v.outer[1]
	}
	switch {
	case !h.link:
		return 0, nil
	case h.early:
		return 0, fmt.Errorf("find the namespace around %d: %w", inode, ErrEarly)
	case h.outer == nil:
		return 0, fmt.Errorf("find the namespace around %d: no process and no mount shows it", inode)
	}
	return h.outer.inode, nil
}

// Stats returns the counters of this package's own health.
func (t *Tables) Stats() Stats {
	s := t.stats
	s.Searches, s.Namespaces = t.registry.searches, len(t.registry.inodes)
	return s
}

// Close lets go of everything. It may be called twice.
func (t *Tables) Close() error {
	var errs []error
	for i := len(t.closers) - 1; i >= 0; i-- {
		errs = append(errs, t.closers[i].Close())
	}
	t.closers = nil
	return errors.Join(errs...)
}

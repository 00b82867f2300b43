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

// Tables are the connection tracking tables of every network namespace of the machine, from Open to Close.
type Tables struct {
	options  Options
	room     *room
	registry *registry
	lookup   *lookup     // nil: the kernel has no such function (yet)
	netlink  *asker      // nil: the kernel has no connection tracking (yet)
	slow     error       // why connection tracking is asked through netlink
	closers  []io.Closer // in the order in which they were opened
	stats    Stats
	now      time.Time // of the question

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
	return t.choose()
}

func explain(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("address translation is not resolved: it takes CAP_SYS_ADMIN and CAP_NET_ADMIN: %w", err)
	}
	return fmt.Errorf("address translation is not resolved: %w", err)
}

// choose looks for a source, the better one first. Where the kernel has no connection tracking there is none, and nothing is translated.
// Asking must not have it loaded.
func (t *Tables) choose() error {
	if _, err := os.Stat(present); err != nil {
		return nil
	}
	t.netlink = &asker{enter: func(n *namespace) (*os.File, error) { return t.registry.enter(t.now, n) }}
	t.stats.Source = Netlink
	if t.options.Source == Netlink {
		return nil
	}
	l, err := openLookup(t.room)
	if err != nil {
		t.slow = err
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
func (t *Tables) Warnings() (warnings []string) {
	if err := t.registry.deaf; err != nil {
		warnings = append(warnings, fmt.Sprintf("changes of interfaces are seen a minute late: %v", err))
	}
	if t.slow != nil {
		warnings = append(warnings, fmt.Sprintf("connection tracking is asked through netlink, which takes longer: %v", t.slow))
	}
	if t.lookup != nil && !t.lookup.zones {
		warnings = append(warnings, "zones of connection tracking are asked about through netlink: it takes Linux 6.11 to do better")
	}
	return warnings
}

// Ask answers questions, in their order. What it returns is valid until the next call.
func (t *Tables) Ask(now time.Time, questions []Question) []Answer {
	t.answers = slices.Grow(t.answers[:0], len(questions))[:len(questions)]
	answers := t.answers
	t.now = now
	t.registry.refresh()
	if t.netlink == nil {
		_ = t.choose() // as before
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
	if t.examine(now, questions, answers) {
		t.answer(now, questions, answers, func(i int) bool { return untranslated(questions[i], answers[i]) })
	}
	for i := range answers {
		if untranslated(questions[i], answers[i]) {
			t.qualify(now, questions[i], &answers[i])
		}
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
		n, early := t.registry.find(now, sought{questions[i].Namespace, questions[i].Cookie}, questions[i].Process)
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
		t.queries[i].namespace.tracks = t.queries[i].namespace.tracks || a.Result == Found
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

// untranslated tells whether an answer would change if another zone had the packet too.
func untranslated(q Question, a Answer) bool {
	return a.Result == NoEntry || a.Result == Found && a.Tuple == q.Tuple
}

// merge adds the answer of one zone to those of the zones before. A translation counts more than a zone that could not be asked, and that
// more than an entry without a translation: a packet may pass several zones of a namespace. Two translations that differ are no answer.
func merge(q Question, before, a Answer) Answer {
	weight := func(a Answer) int {
		switch {
		case a.Result == NoEntry:
			return 0
		case untranslated(q, a):
			return 1
		case a.Result != Found:
			return 2
		}
		return 3
	}
	switch w := weight(before); {
	case before.Result == Ambiguous || w > weight(a):
		return before
	case w == 3 && a.Tuple != before.Tuple:
		return Answer{Result: Ambiguous}
	case w == weight(a):
		return before
	}
	return a
}

// forget lets go of the namespaces that the kernel says have ended, so that another one that has the inode now is found.
func (t *Tables) forget(questions []Question, answers []Answer) (some bool) {
	for i, a := range answers {
		if a.Result != NoNamespace {
			continue
		}
		if n := t.registry.known(sought{questions[i].Namespace, questions[i].Cookie}); n != nil {
			t.registry.forget(n)
			some = true
		}
	}
	return some
}

// examine looks at the namespaces that translate something in no zone that is known, each once. Where a packet has an entry the zones are
// most likely all known: they are looked for less often.
func (t *Tables) examine(now time.Time, questions []Question, answers []Answer) (found bool) {
	for i, a := range answers {
		n := t.registry.inodes[questions[i].Namespace]
		switch {
		case n == nil || n.examined.Equal(now) || !untranslated(questions[i], a):
			continue
		case a.Result == Found && now.Sub(n.zones.read) < zonesAge:
			continue
		}
		n.examined = now
		reads := n.zones.read
		more, err := t.registry.examine(now, n)
		found = found || more
		n.unknown = err
		if !n.zones.read.Equal(reads) {
			t.stats.Dumps++
		}
	}
	return found
}

// qualify says what it means that no zone that is known translates a packet. In a namespace that tracks connections there may be an entry
// in a zone that came into use after its table was read, and one that tracked none may do so since: of a connection that is open that is
// found out. A zone that is known of and not asked about may translate even what has an entry elsewhere.
func (t *Tables) qualify(now time.Time, q Question, a *Answer) {
	n := t.registry.inodes[q.Namespace]
	switch {
	case n == nil:
	case n.zones.more:
		*a = Answer{Result: Ambiguous}
	case a.Result == Found && now.Sub(n.zones.read) < zonesAge:
	case errors.Is(n.unknown, ErrEarly):
		*a = Answer{Result: Early}
	case a.Result == Found && !n.zones.read.IsZero(): // it may not be read again yet, or cannot be
	case n.unknown != nil || n.zones.part:
		*a = Answer{Result: Ambiguous}
	case q.Open && !n.zones.read.Equal(now) && (n.tracks || !n.counted.Equal(now)):
		*a = Answer{Result: Early}
	default:
		a.Tracks = n.tracks
	}
}

// Local tells whether an address belongs to an interface of a namespace. The error says that it is not known, or not yet (ErrEarly).
func (t *Tables) Local(now time.Time, inode uint32, a netip.Addr) (bool, error) {
	if a.IsLoopback() {
		return true, nil
	}
	v, err := t.view(now, inode)
	if err != nil {
		return false, err
	}
	_, local := v.addresses[a.WithZone("")]
	return local, nil
}

// view returns what is known of the interfaces of a namespace.
func (t *Tables) view(now time.Time, inode uint32) (*view, error) {
	n, early := t.registry.find(now, sought{inode: inode}, 0)
	switch {
	case early:
		return nil, fmt.Errorf("find network namespace %d: %w", inode, ErrEarly)
	case n == nil:
		return nil, fmt.Errorf("find network namespace %d: it has ended, or cannot be entered", inode)
	}
	return t.registry.see(now, n)
}

// Outer returns the namespace at the other end of the interface by which packets leave a namespace for elsewhere; 0: they leave the
// machine, or go nowhere. The error says that there is one, and it is not known which, or not yet (ErrEarly).
func (t *Tables) Outer(now time.Time, inode uint32, to netip.Addr) (uint32, error) {
	v, err := t.view(now, inode)
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

package conntrack

import (
	"slices"
	"time"
)

// LookUp answers lookups, in their order. The answers are valid until the next call.
func (t *Tables) LookUp(now time.Time, lookups []Lookup) []Answer {
	t.answers = slices.Grow(t.answers[:0], len(lookups))[:len(lookups)]
	answers := t.answers
	t.now = now
	t.registry.applyEvents()
	if t.netlink == nil {
		_ = t.chooseSource() // without one there is still no connection tracking
	}
	if t.netlink == nil {
		for i := range answers {
			answers[i] = Answer{Result: NoEntry}
		}
		return t.count(answers)
	}
	t.answer(now, lookups, answers, func(int) bool { return true })
	if t.removeDeleted(lookups, answers) {
		t.answer(now, lookups, answers, func(i int) bool { return answers[i].Result == NoNamespace })
	}
	if t.examine(now, lookups, answers) {
		t.answer(now, lookups, answers, func(i int) bool { return untranslated(&lookups[i], &answers[i]) })
	}
	for i := range answers {
		if n := t.registry.byInode[lookups[i].Namespace]; n != nil && untranslated(&lookups[i], &answers[i]) {
			answers[i] = n.qualify(now, &lookups[i], answers[i])
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

// answer answers some of the lookups, each in every known zone of its namespace.
func (t *Tables) answer(now time.Time, lookups []Lookup, answers []Answer, which func(int) bool) {
	t.lookups, t.of = t.lookups[:0], t.of[:0]
	for i := range lookups {
		if !which(i) {
			continue
		}
		l := &lookups[i]
		n, tooEarly := t.registry.find(now, netnsKey{l.Namespace, l.Cookie}, l.Process)
		if n == nil {
			answers[i] = Answer{Result: NoNamespace}
			if tooEarly {
				answers[i].Result = TooEarly
			}
			continue
		}
		answers[i] = Answer{Result: NoEntry}
		t.add(n, 0, l, i)
		for _, zone := range n.zones.known {
			t.add(n, zone, l, i)
		}
	}
	t.run()
	for i, a := range t.zoneAnswers {
		n, of := t.lookups[i].netns, t.of[i]
		n.tracks = n.tracks || a.Result == Found
		answers[of] = merge(&lookups[of], answers[of], a)
	}
}

func (t *Tables) add(n *netns, zone uint16, l *Lookup, of int) {
	protocol := l.Protocol
	if protocol == 0 {
		protocol = TCP
	}
	t.lookups = append(t.lookups, zoneLookup{netns: n, zone: zone, protocol: protocol, tuple: l.Tuple})
	t.of = append(t.of, of)
}

// run does the lookups, with the BPF program as far as it knows zones.
func (t *Tables) run() {
	t.zoneAnswers = slices.Grow(t.zoneAnswers[:0], len(t.lookups))[:len(t.lookups)]
	if t.bpf == nil {
		t.netlink.lookUp(t.lookups, t.zoneAnswers)
		return
	}
	if err := t.bpf.lookUp(t.lookups, t.zoneAnswers); err != nil {
		for i := range t.zoneAnswers {
			t.zoneAnswers[i] = Answer{Result: Failed}
		}
	}
	if !t.bpf.zones {
		t.runZoned()
	}
}

// runZoned does the lookups in zones again, with netlink.
func (t *Tables) runZoned() {
	var zoned []zoneLookup
	var at []int
	for i, l := range t.lookups {
		if l.zone != 0 {
			zoned, at = append(zoned, l), append(at, i)
		}
	}
	if len(zoned) == 0 {
		return
	}
	answers := make([]Answer, len(zoned))
	t.netlink.lookUp(zoned, answers)
	for i, a := range answers {
		t.zoneAnswers[at[i]] = a
	}
}

// untranslated reports whether an answer would be another one if one more zone translated the packet.
func untranslated(l *Lookup, a *Answer) bool {
	return a.Result == NoEntry || a.Result == Found && a.Tuple == l.Tuple
}

// merge adds the answer of one zone to those of the zones before. A translation outweighs a zone that could not be
// asked, which outweighs an entry without a translation: a packet may pass several zones of a namespace. Two different
// translations are no answer.
func merge(l *Lookup, before, a Answer) Answer {
	weight := func(a *Answer) int {
		switch {
		case a.Result == NoEntry:
			return 0
		case untranslated(l, a):
			return 1
		case a.Result != Found:
			return 2
		}
		return 3
	}
	switch w := weight(&before); {
	case before.Result == Ambiguous || w > weight(&a):
		return before
	case w == 3 && a.Tuple != before.Tuple:
		return Answer{Result: Ambiguous}
	case w == weight(&a):
		return before
	}
	return a
}

// removeDeleted forgets the namespaces that the kernel says were deleted, so that another one that has the inode now is
// found.
func (t *Tables) removeDeleted(lookups []Lookup, answers []Answer) (removed bool) {
	for i, a := range answers {
		if a.Result != NoNamespace {
			continue
		}
		if n := t.registry.known(netnsKey{lookups[i].Namespace, lookups[i].Cookie}); n != nil {
			t.registry.remove(n)
			removed = true
		}
	}
	return removed
}

// examine examines the namespaces in which no known zone translates a packet, each once. It reports whether it found a
// zone.
func (t *Tables) examine(now time.Time, lookups []Lookup, answers []Answer) (found bool) {
	for i := range answers {
		n := t.registry.byInode[lookups[i].Namespace]
		if n == nil || !untranslated(&lookups[i], &answers[i]) || !n.wantsExam(now, &answers[i]) {
			continue
		}
		n.examinedAt = now
		readAt := n.zones.readAt
		more, err := t.registry.examine(now, n)
		found = found || more
		n.examineErr = err
		if !n.zones.readAt.Equal(readAt) {
			t.stats.Dumps++
		}
	}
	return found
}

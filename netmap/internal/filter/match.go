package filter

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A Filter matches the edges for which all its terms hold.
type Filter struct{ terms []term }

type side uint8

const (
	either side = iota
	client
	server
)

type subject uint8

const (
	anything subject = iota // a text without a tag
	tagOfEnd
	tagOfEdge
	kindOfEnd
)

// A term holds if one of the patterns matches its subject; a negated term holds if none does.
type term struct {
	not      bool
	subject  subject
	side     side
	tag      names.Tag
	edgeTag  names.EdgeTag
	patterns []pattern
}

// A pattern is a text with or without wildcards, or a range of addresses.
type pattern struct {
	literal bool
	text    string   // folded
	parts   []string // of text, between its wildcards
	prefix  netip.Prefix
}

// newPattern reads a value. Text between quotes has no wildcards; address: the subject is an address.
func newPattern(v string, quoted, address bool) pattern {
	p := pattern{literal: true, text: edge.Fold(v)}
	if quoted {
		return p
	}
	if address {
		if prefix, err := netip.ParsePrefix(v); err == nil {
			p.prefix = prefix
		} else if a, err := netip.ParseAddr(v); err == nil {
			p.prefix = netip.PrefixFrom(a.WithZone(""), a.BitLen())
		}
	}
	if strings.Contains(v, "*") {
		p.literal = false
		p.parts = strings.Split(p.text, "*")
	}
	return p
}

// A Matcher matches many edges with few ends. It evaluates a term at most once for each end. Not for concurrent use.
type Matcher struct {
	filter *Filter
	ends   map[*edge.End]verdict
}

// A verdict is which terms were evaluated for an end, and which of them hold: bit i is term i.
type verdict struct{ known, holds uint32 }

// Each term has a bit.
var _ [32 - MaxTerms]struct{}

// Matcher returns a new matcher.
func (f *Filter) Matcher() *Matcher { return &Matcher{filter: f, ends: make(map[*edge.End]verdict)} }

// A Condition is a term that an end of an edge must fulfil: the client, the server, or one of both.
type Condition struct {
	Client, Server bool
	Tag            names.Tag
	term           *term
}

// Holds reports whether a value of the tag fulfils the condition.
func (c *Condition) Holds(v edge.Value) bool { return c.term.match(v) }

// Conditions returns what tags of ends must be. Terms that exclude, and those about other things, are not among them.
func (f *Filter) Conditions() (all []Condition) {
	for i := range f.terms {
		if t := &f.terms[i]; t.subject == tagOfEnd && !t.not {
			all = append(all, Condition{Client: t.side != server, Server: t.side != client, Tag: t.tag, term: t})
		}
	}
	return all
}

// Within reports whether the filter is about nothing but these tags of ends, and kinds of ends.
func (f *Filter) Within(tags ...names.Tag) bool {
	return !slices.ContainsFunc(f.terms, func(t term) bool {
		return t.subject != kindOfEnd && (t.subject != tagOfEnd || !slices.Contains(tags, t.tag))
	})
}

// A candidate is an edge that is matched.
type candidate struct {
	client, server               *edge.End
	link                         *edge.Link
	clientVerdict, serverVerdict verdict
	searched                     []edge.Value // tags of the link that a text without a tag is searched in
}

// Match reports whether an edge matches. The ends must not change while the matcher is used.
func (m *Matcher) Match(c, s *edge.End, l *edge.Link) bool {
	x := candidate{client: c, server: s, link: l, clientVerdict: m.ends[c], serverVerdict: m.ends[s]}
	before := [...]verdict{x.clientVerdict, x.serverVerdict}
	matches := true
	for i := range m.filter.terms {
		t := &m.filter.terms[i]
		if x.holds(t, 1<<i) == t.not {
			matches = false
			break
		}
	}
	if x.clientVerdict != before[0] {
		m.ends[c] = x.clientVerdict
	}
	if x.serverVerdict != before[1] {
		m.ends[s] = x.serverVerdict
	}
	return matches
}

func (x *candidate) holds(t *term, bit uint32) bool {
	switch {
	case t.subject == tagOfEdge:
		return t.match(x.link.Value(t.edgeTag))
	case t.side != server && x.clientVerdict.of(t, bit, x.client),
		t.side != client && x.serverVerdict.of(t, bit, x.server):
		return true
	}
	return t.subject == anything && x.matchLink(t)
}

// of reports whether a term holds for an end.
func (v *verdict) of(t *term, bit uint32, e *edge.End) bool {
	if v.known&bit == 0 {
		v.known |= bit
		if t.matchEnd(e) {
			v.holds |= bit
		}
	}
	return v.holds&bit != 0
}

// matchLink reports whether a tag of the edge has a value that a person would search for.
func (x *candidate) matchLink(t *term) bool {
	if x.searched == nil {
		x.searched = make([]edge.Value, 0, 5)
		for _, tag := range [...]names.EdgeTag{
			names.EdgePort, names.EdgeOriginal, names.EdgeOriginalPort, names.EdgeOriginalAddress,
			names.EdgeSource,
		} {
			x.searched = append(x.searched, x.link.Value(tag))
		}
	}
	for _, v := range x.searched {
		if v != (edge.Value{}) && t.match(v) {
			return true
		}
	}
	return false
}

func (t *term) matchEnd(e *edge.End) bool {
	switch t.subject {
	case tagOfEnd:
		return t.match(e[t.tag])
	case kindOfEnd:
		return t.match(edge.Text(e.Kind().String()))
	}
	for _, v := range e {
		if v != (edge.Value{}) && t.match(v) {
			return true
		}
	}
	return false
}

func (t *term) match(v edge.Value) bool {
	for i := range t.patterns {
		if t.patterns[i].match(v) {
			return true
		}
	}
	return false
}

func (p *pattern) match(v edge.Value) bool {
	switch {
	case p.prefix.IsValid():
		a, err := netip.ParseAddr(v.String())
		return err == nil && p.prefix.Contains(a.Unmap().WithZone(""))
	case p.literal:
		return p.text == v.Folded()
	}
	return glob(p.parts, v.Folded())
}

// glob matches a pattern that was split at its wildcards.
func glob(parts []string, v string) bool {
	first, last := parts[0], parts[len(parts)-1]
	if len(v) < len(first)+len(last) || !strings.HasPrefix(v, first) || !strings.HasSuffix(v, last) {
		return false
	}
	v = v[len(first) : len(v)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(v, part)
		if i < 0 {
			return false
		}
		v = v[i+len(part):]
	}
	return true
}

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
	anything subject = iota
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
	text    string // in lower case
	parts   []string
	prefix  netip.Prefix
}

// newPattern reads a value. Text between quotes has no wildcards; address: the subject is an address.
func newPattern(v string, quoted, address bool) pattern {
	p := pattern{literal: true, text: lower(v)}
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

// A Matcher matches many edges with few ends. It evaluates a term once for each end. Not for concurrent use.
type Matcher struct {
	filter *Filter
	ends   []map[*edge.End]bool // by term: whether it holds for an end
}

// Matcher returns a new matcher.
func (f *Filter) Matcher() *Matcher {
	m := &Matcher{filter: f, ends: make([]map[*edge.End]bool, len(f.terms))}
	for i := range m.ends {
		m.ends[i] = make(map[*edge.End]bool)
	}
	return m
}

// Match reports whether an edge matches. The ends must not change while the matcher is used.
func (m *Matcher) Match(c, s *edge.End, l *edge.Link) bool {
	for i := range m.filter.terms {
		if m.holds(i, c, s, l) == m.filter.terms[i].not {
			return false
		}
	}
	return true
}

func (m *Matcher) holds(i int, c, s *edge.End, l *edge.Link) bool {
	t := &m.filter.terms[i]
	switch {
	case t.subject == tagOfEdge:
		return t.match(l.Get(t.edgeTag))
	case t.side != server && m.end(i, c), t.side != client && m.end(i, s):
		return true
	}
	return t.subject == anything && t.matchEdge(l)
}

// end reports whether term i holds for an end.
func (m *Matcher) end(i int, e *edge.End) bool {
	holds, known := m.ends[i][e]
	if !known {
		holds = m.filter.terms[i].matchEnd(e)
		m.ends[i][e] = holds
	}
	return holds
}

func (t *term) matchEnd(e *edge.End) bool {
	switch t.subject {
	case tagOfEnd:
		return t.match(e.Get(t.tag))
	case kindOfEnd:
		return t.match(e.Kind().String())
	}
	for tag := range names.Tags {
		if e.Has(tag) && t.match(e.Get(tag)) {
			return true
		}
	}
	return false
}

// matchEdge reports whether a tag of the edge has a value that a person would search for.
func (t *term) matchEdge(l *edge.Link) bool {
	for _, tag := range [...]names.EdgeTag{
		names.EdgePort, names.EdgeOriginal, names.EdgeOriginalPort, names.EdgeOriginalAddress,
	} {
		if v := l.Get(tag); v != "" && t.match(v) {
			return true
		}
	}
	return false
}

func (t *term) match(v string) bool {
	return slices.ContainsFunc(t.patterns, func(p pattern) bool { return p.match(v) })
}

func (p *pattern) match(v string) bool {
	if p.prefix.IsValid() {
		a, err := netip.ParseAddr(v)
		return err == nil && p.prefix.Contains(a.Unmap().WithZone(""))
	}
	if p.literal {
		return equal(p.text, v)
	}
	return glob(p.parts, lower(v))
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

// equal compares v with a text in lower case.
func equal(low, v string) bool {
	if len(low) != len(v) {
		return false
	}
	for i := range len(v) {
		if lowerByte(v[i]) != low[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// lower changes ASCII letters only, as names of things are not prose.
func lower(s string) string {
	for i := range len(s) {
		if s[i] == lowerByte(s[i]) {
			continue
		}
		b := []byte(s)
		for j := i; j < len(b); j++ {
			b[j] = lowerByte(b[j])
		}
		return string(b)
	}
	return s
}

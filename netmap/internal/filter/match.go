package filter

import (
	"net/netip"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A Filter lets edges through that all of its terms hold for.
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

// A term holds if one of the values matches what it is about; or does not if none does.
type term struct {
	not    bool
	what   subject
	side   side
	tag    names.Tag
	link   names.EdgeTag
	values []match
}

// A match is a value that may have wildcards, or be a range of addresses.
type match struct {
	literal bool
	text    string // in lower case
	parts   []string
	prefix  netip.Prefix
}

func newMatch(v string, quoted, address bool) match {
	m := match{literal: true, text: lower(v)}
	if quoted {
		return m
	}
	if address {
		if p, err := netip.ParsePrefix(v); err == nil {
			m.prefix = p.Masked()
		} else if a, err := netip.ParseAddr(v); err == nil {
			m.prefix = netip.PrefixFrom(a.WithZone(""), a.BitLen())
		}
	}
	if strings.Contains(v, "*") {
		m.literal = false
		m.parts = strings.Split(m.text, "*")
	}
	return m
}

// A Matcher matches many edges of few ends: it looks at each end once. Not for concurrent use.
type Matcher struct {
	filter *Filter
	ends   []map[*edge.End]bool // by term: whether it holds for an end
}

// Matcher returns a new one.
func (f *Filter) Matcher() *Matcher {
	m := &Matcher{filter: f, ends: make([]map[*edge.End]bool, len(f.terms))}
	for i := range m.ends {
		m.ends[i] = make(map[*edge.End]bool)
	}
	return m
}

// Match tells whether an edge is let through. The ends are not to change.
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
	case t.what == tagOfEdge:
		return t.one(l.Get(t.link))
	case t.side != server && m.end(i, c), t.side != client && m.end(i, s):
		return true
	}
	return t.what == anything && t.anywhere(l)
}

func (m *Matcher) end(i int, e *edge.End) bool {
	holds, known := m.ends[i][e]
	if !known {
		holds = m.filter.terms[i].end(e)
		m.ends[i][e] = holds
	}
	return holds
}

// end tells whether the term holds for an end.
func (t *term) end(e *edge.End) bool {
	switch t.what {
	case tagOfEnd:
		return t.one(e.Get(t.tag))
	case kindOfEnd:
		return t.one(e.Kind().String())
	}
	for tag := range names.Tags {
		if e.Has(tag) && t.one(e.Get(tag)) {
			return true
		}
	}
	return false
}

// anywhere tells whether one of the tags of an edge matches.
func (t *term) anywhere(l *edge.Link) bool {
	for _, tag := range [...]names.EdgeTag{
		names.EdgePort, names.EdgeOriginal, names.EdgeOriginalPort, names.EdgeOriginalAddress,
	} {
		if v := l.Get(tag); v != "" && t.one(v) {
			return true
		}
	}
	return false
}

func (t *term) one(v string) bool {
	for i := range t.values {
		if t.values[i].match(v) {
			return true
		}
	}
	return false
}

func (m *match) match(v string) bool {
	if m.prefix.IsValid() {
		if a, err := netip.ParseAddr(v); err == nil {
			return m.prefix.Contains(a.Unmap().WithZone(""))
		}
		return false
	}
	if m.literal {
		return equal(m.text, v)
	}
	return glob(m.parts, lower(v))
}

// glob matches what was split at its wildcards.
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

// equal compares with what is in lower case already.
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

// lower changes ASCII letters only: names of things are not prose.
func lower(s string) string {
	for i := range len(s) {
		if s[i] != lowerByte(s[i]) {
			b := []byte(s)
			for j := range b {
				b[j] = lowerByte(b[j])
			}
			return string(b)
		}
	}
	return s
}

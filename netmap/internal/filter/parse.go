package filter

import (
	"fmt"
	"strings"

	"github.com/netconn/netconn/internal/names"
)

// The limits of a filter: its length, its terms, and the values of a term.
const (
	MaxBytes  = 2048
	MaxTerms  = 32
	MaxValues = 32
)

// Error is what is wrong with a filter, at an offset in bytes.
type Error struct {
	Offset  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Parse reads a filter. The empty text matches every edge. The error is an *Error.
func Parse(text string) (*Filter, error) {
	if len(text) > MaxBytes {
		return nil, &Error{MaxBytes, fmt.Sprintf("the filter is longer than %d bytes", MaxBytes)}
	}
	p := parser{text: text}
	var f Filter
	for p.skipBlanks(); !p.done(); p.skipBlanks() {
		if len(f.terms) == MaxTerms {
			return nil, p.fail(p.at, "more than %d terms", MaxTerms)
		}
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		f.terms = append(f.terms, t)
	}
	return &f, nil
}

// A parser is a text, and the offset of what is read next.
type parser struct {
	text string
	at   int
}

func (p *parser) done() bool { return p.at >= len(p.text) }

func (p *parser) fail(at int, format string, args ...any) *Error {
	return &Error{at, fmt.Sprintf(format, args...)}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (p *parser) skipBlanks() {
	for !p.done() && isBlank(p.text[p.at]) {
		p.at++
	}
}

// term reads one of: [!|-] [side.]tag (=|!=) value[,value ...], or [!|-] pattern.
func (p *parser) term() (term, error) {
	var t term
	if c := p.text[p.at]; c == '!' || c == '-' {
		t.not = true
		p.at++
	}
	if key, from, ok := p.key(); ok {
		if err := t.setSubject(key); err != nil {
			return t, p.fail(from, "%v", err)
		}
		if p.text[p.at] == '!' {
			t.not = !t.not
			p.at++
		}
		p.at++
		err := p.values(&t)
		return t, err
	}
	from := p.at
	v, quoted, err := p.value(false)
	if err != nil {
		return t, err
	}
	if v == "" {
		return t, p.fail(from, "a term is empty")
	}
	if !quoted && !strings.Contains(v, "*") {
		v = "*" + v + "*"
	}
	t.patterns = []pattern{newPattern(v, quoted, false)}
	return t, nil
}

// key reads the part before = or !=, and reports whether there is one. If not, it reads nothing.
func (p *parser) key() (key string, from int, ok bool) {
	for i := p.at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case isBlank(c) || c == '"' || c == '*' || c == ',':
			return "", 0, false
		case c == '=' || c == '!' && i+1 < len(p.text) && p.text[i+1] == '=':
			key, from = p.text[p.at:i], p.at
			p.at = i
			return key, from, true
		}
	}
	return "", 0, false
}

// values reads the values of a term, which commas separate.
func (p *parser) values(t *term) error {
	for {
		v, quoted, err := p.value(true)
		if err != nil {
			return err
		}
		t.patterns = append(t.patterns, newPattern(v, quoted, t.subject == tagOfEnd && t.tag == names.TagAddress))
		if p.done() || p.text[p.at] != ',' {
			return nil
		}
		if len(t.patterns) == MaxValues {
			return p.fail(p.at, "more than %d values", MaxValues)
		}
		p.at++
	}
}

// value reads up to a blank, or to a comma in a list, or the text between quotes.
func (p *parser) value(list bool) (v string, quoted bool, err error) {
	if !p.done() && p.text[p.at] == '"' {
		v, err = p.quoted(list)
		return v, true, err
	}
	from := p.at
	for !p.done() && !isBlank(p.text[p.at]) && (!list || p.text[p.at] != ',') {
		if p.text[p.at] == '"' {
			return "", false, p.fail(p.at, "a quote within a value; put all of the value between quotes")
		}
		p.at++
	}
	return p.text[from:p.at], false, nil
}

func (p *parser) quoted(list bool) (string, error) {
	opened := p.at
	var b strings.Builder
	for p.at++; !p.done(); p.at++ {
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			if !p.done() && !isBlank(p.text[p.at]) && (!list || p.text[p.at] != ',') {
				return "", p.fail(p.at, "text after a closing quote")
			}
			return b.String(), nil
		case '\\':
			if p.at+1 < len(p.text) && (p.text[p.at+1] == '"' || p.text[p.at+1] == '\\') {
				p.at++
			}
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(opened, "a quote is not closed")
}

// setSubject reads what a term is about from its key.
func (t *term) setSubject(key string) error {
	name := key
	t.side = either
	if rest, ok := strings.CutPrefix(key, "client."); ok {
		t.side, name = client, rest
	} else if rest, ok := strings.CutPrefix(key, "server."); ok {
		t.side, name = server, rest
	}
	if name == "kind" {
		t.subject = kindOfEnd
		return nil
	}
	if tag, ok := names.ParseTag(name); ok {
		t.subject, t.tag = tagOfEnd, tag
		return nil
	}
	if tag, ok := names.ParseEdgeTag(key); ok {
		t.subject, t.edgeTag = tagOfEdge, tag
		return nil
	}
	return fmt.Errorf("unknown tag %q", key)
}

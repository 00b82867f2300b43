package dns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// What a message says, as a test compares it.
type said struct {
	ID                  uint16
	Response, Truncated bool
	Rcode               uint16
	Name                string // "": there is no question
	Type                uint16
	Addresses           string
	Complete            bool
}

func (m *Message) said() said {
	s := said{ID: m.ID, Response: m.Response, Truncated: m.Truncated, Rcode: m.Rcode, Type: m.Type, Complete: m.Complete}
	if m.HasName {
		s.Name = m.Question.String()
	}
	for _, a := range m.Addresses {
		s.Addresses += a.Address.String() + " "
	}
	return s
}

// packed returns a message that the library of Go's authors has written.
func packed(t testing.TB, m dnsmessage.Message) []byte {
	t.Helper()
	raw, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func question(name string, of dnsmessage.Type) []dnsmessage.Question {
	return []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: of, Class: dnsmessage.ClassINET}}
}

func resource(name string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: 60},
		Body:   body,
	}
}

// badVersion is an OPT record with the upper bits of BADVERS, 16.
func badVersion(t testing.TB) dnsmessage.Resource {
	t.Helper()
	r := dnsmessage.Resource{Body: &dnsmessage.OPTResource{}}
	if err := r.Header.SetEDNS0(1232, dnsmessage.RCode(16), false); err != nil {
		t.Fatal(err)
	}
	return r
}

// answer has an alias, and addresses of both families.
func answer(t testing.TB) []byte {
	t.Helper()
	return packed(t, dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, Response: true},
		Questions: question("WWW.Example.com.", dnsmessage.TypeA),
		Answers: []dnsmessage.Resource{
			resource("www.example.com.", &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("cdn.example.net.")}),
			resource("cdn.example.net.", &dnsmessage.AResource{A: [4]byte{203, 0, 113, 7}}),
			resource("cdn.example.net.", &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 1, 0xd, 0xb8, 15: 7}}),
		},
		Authorities: []dnsmessage.Resource{resource("example.net.", &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}})},
	})
}

func TestRead(t *testing.T) {
	for name, tt := range map[string]struct {
		message dnsmessage.Message
		want    said
	}{
		"query": {
			dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: question("a.b.", dnsmessage.TypeAAAA)},
			said{ID: 7, Name: "a.b", Type: 28, Complete: true},
		},
		"no such name": {
			dnsmessage.Message{Header: dnsmessage.Header{ID: 8, Response: true, RCode: dnsmessage.RCodeNameError},
				Questions: question("a.b.", dnsmessage.TypeA)},
			said{ID: 8, Response: true, Rcode: 3, Name: "a.b", Type: 1, Complete: true},
		},
		"truncated": {
			dnsmessage.Message{Header: dnsmessage.Header{ID: 9, Response: true, Truncated: true},
				Questions: question("a.b.", dnsmessage.TypeA)},
			said{ID: 9, Response: true, Truncated: true, Name: "a.b", Type: 1, Complete: true},
		},
		"format error without a question": {
			dnsmessage.Message{Header: dnsmessage.Header{ID: 10, Response: true, RCode: dnsmessage.RCodeFormatError}},
			said{ID: 10, Response: true, Rcode: 1, Complete: true},
		},
		"extended response code": {
			dnsmessage.Message{Header: dnsmessage.Header{ID: 11, Response: true}, Questions: question(".", dnsmessage.TypeNS),
				Additionals: []dnsmessage.Resource{badVersion(t)}},
			said{ID: 11, Response: true, Rcode: 16, Name: ".", Type: 2, Complete: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw := packed(t, tt.message)
			var m Message
			if err := m.Read(raw, len(raw)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, m.said()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The addresses are those of the answers, whatever the alias, and not those of other sections.
func TestReadAddresses(t *testing.T) {
	raw := answer(t)
	var m Message
	if err := m.Read(raw, len(raw)); err != nil {
		t.Fatal(err)
	}
	want := []Address{{netip.MustParseAddr("203.0.113.7"), 60}, {netip.MustParseAddr("2001:db8::7"), 60}}
	if diff := cmp.Diff(want, m.Addresses, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Question.String() != "www.example.com" {
		t.Errorf("the question is %s", m.Question.String())
	}
}

// A message that the capture cuts is no wrong one: what was captured counts. A whole message that ends early is wrong.
func TestReadCut(t *testing.T) {
	whole := answer(t)
	for n := range len(whole) {
		var m Message
		err := m.Read(whole[:n], len(whole))
		switch {
		case n < headerSize:
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%d bytes: %v", n, err)
			}
		case err != nil:
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		case m.Complete:
			t.Errorf("%d bytes of %d are taken for the whole", n, len(whole))
		}
		if err := m.Read(whole[:n], n); !errors.Is(err, ErrMalformed) {
			t.Errorf("a message of %d bytes that needs %d: %v", n, len(whole), err)
		}
	}
}

// header returns a header with these numbers of records.
func header(questions, answers, others uint16) []byte {
	h := make([]byte, headerSize)
	h[2] = 0x80
	binary.BigEndian.PutUint16(h[4:], questions)
	binary.BigEndian.PutUint16(h[6:], answers)
	binary.BigEndian.PutUint16(h[10:], others)
	return h
}

func labels(n, length int) []byte {
	label := append([]byte{byte(length)}, bytes.Repeat([]byte{'x'}, length)...)
	return bytes.Repeat(label, n)
}

func TestReadHostile(t *testing.T) {
	asked := []byte{0, 0, 1, 0, 1}
	address := func(kind, length byte, data ...byte) []byte {
		r := []byte{0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length}
		return append(r, data...)
	}
	for name, raw := range map[string][]byte{
		"nothing":                   {},
		"half a header":             make([]byte, 11),
		"two questions":             append(header(2, 0, 0), asked...),
		"65,535 questions":          append(header(65535, 0, 0), asked...),
		"a name that has no end":    append(header(1, 0, 0), labels(3, 63)...),
		"65,535 labels":             append(header(1, 0, 0), labels(65535, 1)...),
		"a label beyond the end":    append(header(1, 0, 0), 63, 'x'),
		"a question that is a loop": append(header(1, 0, 0), 0xc0, 12, 0, 1, 0, 1),
		"a pointer forward":         append(header(1, 0, 0), 0xc0, 14, 0, 0, 1, 0, 1),
		"half a pointer":            append(append(header(1, 1, 0), asked...), 0xc0),
		"a label of 64 bytes":       append(header(1, 0, 0), append(labels(1, 64), asked...)...),
		"256 bytes of name":         append(header(1, 0, 0), append(labels(5, 50), asked...)...),
		"a record without data":     append(append(header(1, 1, 0), asked...), address(1, 4)...),
		"data beyond the end":       append(append(header(1, 1, 0), asked...), address(5, 200, 1, 2)...),
		"an address of 5 bytes":     append(append(header(1, 1, 0), asked...), address(1, 5, 1, 2, 3, 4, 5)...),
		"IPv6 with 4 bytes":         append(append(header(1, 1, 0), asked...), address(28, 4, 1, 2, 3, 4)...),
		"65,535 records that lack":  append(header(1, 65535, 65535), asked...),
	} {
		t.Run(name, func(t *testing.T) {
			var m Message
			if err := m.Read(raw, len(raw)); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v and %+v", err, m.said())
			}
		})
	}
}

// A pointer to itself is a name of a record like any other: it is not followed.
func TestReadLoop(t *testing.T) {
	raw := append(header(0, 1, 0), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
	var m Message
	if err := m.Read(raw, len(raw)); err != nil || len(m.Addresses) != 1 {
		t.Errorf("got %v and %+v", err, m.said())
	}
}

func TestReadMaxRecords(t *testing.T) {
	raw := header(0, maxRecords+1, 0)
	for range maxRecords + 1 {
		raw = append(raw, 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
	}
	var m Message
	if err := m.Read(raw, len(raw)); err != nil || len(m.Addresses) != maxRecords || m.Complete {
		t.Errorf("got %v, %d addresses, complete %v", err, len(m.Addresses), m.Complete)
	}
}

// One message is read after another: nothing of the first may be left.
func TestReadAgain(t *testing.T) {
	first := answer(t)
	second := packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 1}, Questions: question("x.", dnsmessage.TypeA)})
	var again, fresh Message
	for _, read := range []error{again.Read(first, len(first)), again.Read(second, len(second)),
		fresh.Read(second, len(second))} {
		if read != nil {
			t.Fatal(read)
		}
	}
	if diff := cmp.Diff(fresh.said(), again.said()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	raw := answer(t)
	var m Message
	if n := testing.AllocsPerRun(100, func() { _ = m.Read(raw, len(raw)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRead(b *testing.B) {
	raw := answer(b)
	var m Message
	for b.Loop() {
		if err := m.Read(raw, len(raw)); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzRead compares the reader with the library of Go's authors. No input may have the reader allocate, panic, or return
// an address that is not in the bytes.
//
// By default Go spends up to a minute on making each new input smaller, and tries no other meanwhile. So an hour of this
// is: go test ./internal/dns -run '^$' -fuzz FuzzRead -fuzztime 1h -fuzzminimizetime 1x -parallel 1
func FuzzRead(f *testing.F) {
	f.Add(answer(f), 0)
	f.Add(append(header(1, 65535, 0), labels(100, 1)...), 3)
	f.Add(append(header(0, 1, 0), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1), 1)
	f.Fuzz(func(t *testing.T, raw []byte, beyond int) {
		beyond = max(0, min(beyond, 1000))
		var m Message
		err := m.Read(raw, len(raw)+beyond)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("the error is %v", err)
		}
		for _, a := range m.Addresses {
			if !bytes.Contains(raw, a.Address.AsSlice()) {
				t.Fatalf("the address %v is nowhere in the message", a.Address)
			}
		}
		if name := m.Question.String(); len(name) > 4*maxName || strings.ContainsFunc(name, unprintable) {
			t.Fatalf("the name is %q", name)
		}
		again(t, raw)
	})
}

// again has the library write what it reads, which is lenient: it takes lengths beyond the end of a message. What it
// writes is right, so it is a message here.
func again(t *testing.T, raw []byte) {
	t.Helper()
	var known dnsmessage.Message
	if known.Unpack(raw) != nil || len(known.Questions) > 1 {
		return
	}
	written, err := known.Pack()
	if err != nil {
		return
	}
	var m Message
	if err := m.Read(written, len(written)); err != nil {
		t.Fatalf("a message is refused: %v", err)
	}
	if m.ID != known.ID || m.Response != known.Response || m.Truncated != known.Truncated ||
		m.HasName != (len(known.Questions) == 1) {
		t.Fatalf("got %+v of %+v", m.said(), known)
	}
}

func unprintable(r rune) bool { return r < '!' || r > '~' }

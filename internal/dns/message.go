// Package dns reads the exchanges of the Domain Name System that this machine's sockets have, from the kernel.
//
// Message is the pure half: it reads the bytes of one message (RFC 1035, RFC 6891). A message comes from any host, so
// nothing in it is believed before it is checked: the work is bounded by the bytes that were captured, a wrong message
// is an error, and no input makes it allocate.
package dns

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// ErrMalformed is the error for bytes that are no message.
var ErrMalformed = errors.New("malformed DNS message")

// errShort is the error where the captured bytes end.
var errShort = errors.New("short DNS message")

const (
	headerSize = 12
	maxRecords = 64 // that are read of one message; a resolver returns a few addresses
)

// Numbers of RFC 1035 section 3.2, RFC 3596 and RFC 6891.
const (
	typeA    = 1
	typeAAAA = 28
	typeOPT  = 41
	classIN  = 1
)

// Message is what is read of a message. It is large, so that a reader has one and reads all messages into it.
type Message struct {
	ID        uint16
	Response  bool
	Truncated bool // the TC bit: the client asks again over TCP
	Rcode     uint16
	HasName   bool // there is one question, as in every ordinary message
	Question  Name
	Type      uint16
	Addresses []Address // of the answers, in the memory of the message
	Complete  bool      // all records were read: none beyond the captured bytes, or beyond maxRecords

	addresses [maxRecords]Address
}

// Address is an address among the answers.
type Address struct {
	Address netip.Addr
	TTL     uint32 // seconds
}

// Read reads a message of a size, of which raw is the beginning. The error is ErrMalformed, or nil. What is beyond the
// captured bytes is left out.
func (m *Message) Read(raw []byte, size int) error {
	m.reset()
	if len(raw) < headerSize {
		return ErrMalformed
	}
	flags := binary.BigEndian.Uint16(raw[2:])
	m.ID = binary.BigEndian.Uint16(raw)
	m.Response, m.Truncated, m.Rcode = flags&0x8000 != 0, flags&0x0200 != 0, flags&0xf
	err := m.readSections(raw)
	if errors.Is(err, errShort) {
		if len(raw) >= size && !m.Truncated {
			return ErrMalformed
		}
		m.Complete = false
		return nil
	}
	return err
}

// reset leaves the memory of the name and the addresses as it is: what counts is their size.
func (m *Message) reset() {
	m.ID, m.Response, m.Truncated, m.Rcode, m.HasName, m.Type = 0, false, false, 0, false, 0
	m.Question.size, m.Addresses, m.Complete = 0, m.addresses[:0], true
}

// readSections reads the question, and then the records of the three other sections.
func (m *Message) readSections(raw []byte) error {
	questions := int(binary.BigEndian.Uint16(raw[4:]))
	at := headerSize
	if questions > 1 {
		return ErrMalformed
	}
	if questions == 1 {
		next, err := m.Question.read(raw, at)
		if err != nil {
			return err
		}
		if next+4 > len(raw) {
			return errShort
		}
		m.HasName, m.Type = true, binary.BigEndian.Uint16(raw[next:])
		at = next + 4
	}
	answers := int(binary.BigEndian.Uint16(raw[6:]))
	records := answers + int(binary.BigEndian.Uint16(raw[8:])) + int(binary.BigEndian.Uint16(raw[10:]))
	for i := range records {
		if i == maxRecords {
			m.Complete = false
			break
		}
		next, err := m.readRecord(raw, at, i < answers)
		if err != nil {
			return err
		}
		at = next
	}
	return nil
}

// readRecord reads a record, and returns the offset behind it.
func (m *Message) readRecord(raw []byte, at int, answer bool) (next int, err error) {
	at, err = skip(raw, at)
	if err != nil {
		return 0, err
	}
	if at+10 > len(raw) {
		return 0, errShort
	}
	kind, class := binary.BigEndian.Uint16(raw[at:]), binary.BigEndian.Uint16(raw[at+2:])
	ttl := binary.BigEndian.Uint32(raw[at+4:])
	length := int(binary.BigEndian.Uint16(raw[at+8:]))
	if kind == typeOPT { // the upper bits of the response code, RFC 6891 section 6.1.3
		m.Rcode |= uint16(ttl>>24) << 4
	}
	data := raw[at+10:]
	if length > len(data) {
		return 0, errShort
	}
	if answer && class == classIN {
		return at + 10 + length, m.addAddress(kind, ttl, data[:length])
	}
	return at + 10 + length, nil
}

func (m *Message) addAddress(kind uint16, ttl uint32, data []byte) error {
	var size int
	switch kind {
	case typeA:
		size = 4
	case typeAAAA:
		size = 16
	default:
		return nil
	}
	if len(data) != size {
		return ErrMalformed
	}
	a, _ := netip.AddrFromSlice(data)
	m.Addresses = append(m.Addresses, Address{Address: a.Unmap(), TTL: ttl})
	return nil
}

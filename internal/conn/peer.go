package conn

import (
	"cmp"

	"github.com/netconn/netconn/internal/names"
)

// Peer is who is at the other end: the values of its attributes. Comparable. An empty value is not known.
type Peer [names.PeerAttributes]string

// Or returns the peer with values of other where it has none.
func (p Peer) Or(other Peer) Peer {
	for a := range p {
		p[a] = cmp.Or(p[a], other[a])
	}
	return p
}

// Compare orders peers by their attributes, the first one first.
func (p *Peer) Compare(other *Peer) int {
	for a := range p {
		if order := cmp.Compare(p[a], other[a]); order != 0 {
			return order
		}
	}
	return 0
}

package flow

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// visit is a connection for which there is something to do, with its last report. Its counts are the maxima of all
// reports. The owner is kept with the connection, and the process is only needed to find the owner.
type visit struct {
	conn.Socket
	conn.Timing
	counts packed
	of     *connection
	since  time.Duration // the last collection before the first report that is not credited yet, since the table's start
	ended  time.Duration // when the end was reported, since the table's start
}

// keep takes over a report.
func (v *visit) keep(c *conn.Conn) {
	v.Socket, v.Timing, v.counts = c.Socket, c.Timing, pack(c.Counts)
}

// conn returns the report, but for the process.
func (v *visit) conn() conn.Conn {
	return conn.Conn{Socket: v.Socket, Timing: v.Timing, Counts: v.counts.unpack(), Owner: v.of.owner.Value()}
}

// visitsTogether is how many visits are allocated at once: 256 of them are 62 KiB.
const visitsTogether = 256

// sparePieces is how many stay when they are not needed: with them, what ends from one reading of the kernel to the next on a busy machine
// has room.
const sparePieces = 64

// visits are a list of them. It grows and shrinks by pieces, as there may be one for every connection of a machine at its first
// collection, and none a moment later: what is appended to a slice would be copied again and again, and leave that behind.
type visits struct {
	pieces []*[visitsTogether]visit
	n      int
}

func (l *visits) at(i int32) *visit { return &l.pieces[i/visitsTogether][i%visitsTogether] }

// add returns a new last visit, which is empty.
func (l *visits) add() *visit {
	if l.n == len(l.pieces)*visitsTogether {
		l.pieces = append(l.pieces, new([visitsTogether]visit))
	}
	l.n++
	return l.at(int32(l.n - 1))
}

// remove takes a visit out, and puts the last one in its place.
func (l *visits) remove(i int32) {
	last := l.at(int32(l.n - 1))
	v := l.at(i)
	v.of.visit = -1
	if v != last {
		*v = *last
		v.of.visit = i
	}
	l.cut(l.n - 1)
}

// cut leaves the first n, and gives back what room is left but for some pieces.
func (l *visits) cut(n int) {
	for i := n; i < l.n; i++ {
		*l.at(int32(i)) = visit{}
	}
	l.n = n
	if room := n/visitsTogether + sparePieces; room < len(l.pieces) {
		clear(l.pieces[room:])
		l.pieces = l.pieces[:room]
	}
}

package flow

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// visit is a connection for which there is something to do, with its last report. Its totals are the maxima of all
// reports. The owner is kept with the connection, and the process is only needed to find the owner.
type visit struct {
	conn.Socket
	conn.Timing
	totals conn.Totals
	of     *connection
	since  time.Duration // the last collection before the first report that is not credited, since the table's start
	ended  time.Duration // when the end was reported, since the table's start
}

// keep takes over a report.
func (v *visit) keep(c *conn.Conn) {
	v.Socket, v.Timing, v.totals = c.Socket, c.Timing, c.Counts.Totals()
}

// conn returns the report without its process.
func (v *visit) conn() conn.Conn {
	return conn.Conn{Socket: v.Socket, Timing: v.Timing, Counts: v.totals.Counts(), Owner: v.of.owner.Value()}
}

// pieceSize is how many visits are allocated at once, as 68 KiB.
const pieceSize = 256

// sparePieces is how many pieces stay when they are not needed. They hold what ends between two readings of the
// kernel on a busy machine.
const sparePieces = 64

// visits is a list that grows and shrinks by pieces. A machine has one visit for every connection at its first
// collection, and none a moment later. A slice would be copied again and again as it grows, and keep its memory.
type visits struct {
	pieces []*[pieceSize]visit
	n      int
	before int // how many visits the last collection began with
}

func (l *visits) at(i int32) *visit { return &l.pieces[i/pieceSize][i%pieceSize] }

// add returns a new last visit, which is empty.
func (l *visits) add() *visit {
	if l.n == len(l.pieces)*pieceSize {
		l.pieces = append(l.pieces, new([pieceSize]visit))
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
	*last = visit{}
	l.n--
}

// truncate keeps the first n, which ends a collection. Of the other pieces it keeps the spare ones, and those that both
// this collection and the one before needed: if every connection has news at each collection, the next needs as many.
func (l *visits) truncate(n int) {
	keep := max(n, min(l.n, l.before))/pieceSize + sparePieces
	l.before = l.n
	for i := n; i < l.n; i++ {
		*l.at(int32(i)) = visit{}
	}
	l.n = n
	if keep < len(l.pieces) {
		clear(l.pieces[keep:])
		l.pieces = l.pieces[:keep]
	}
}

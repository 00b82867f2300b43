package pipeline

import (
	"errors"
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/ends"
)

// lookup returns how the ends of connections ask connection tracking.
func (t Tables) lookup() ends.Lookup {
	if t.Ask == nil {
		return ends.Lookup{}
	}
	var questions []conntrack.Lookup
	var answers []ends.Answer
	return ends.Lookup{
		Ask: func(now time.Time, asked []ends.Question) []ends.Answer {
			questions, answers = questions[:0], answers[:0]
			for _, q := range asked {
				questions = append(questions, conntrack.Lookup{
					Namespace: q.Namespace.Inode, Cookie: q.Namespace.Cookie, Process: q.Process,
					Open: q.Phase == conn.Open, Tuple: q.Tuple,
				})
			}
			for i, a := range t.Ask(now, questions) {
				answers = append(answers, ends.Answer{
					Result: result(a, asked[i].Phase), Tuple: a.Tuple, Reply: a.Reply, Translates: a.Translates,
				})
			}
			return answers
		},
		Local: func(now time.Time, netns uint32, a netip.Addr) (bool, error) {
			local, err := t.Local(now, netns, a)
			return local, early(err)
		},
		Outer: func(now time.Time, netns uint32, packet conn.Tuple) (uint32, bool, error) {
			outer, certain, err := t.Outer(now, netns, packet)
			return outer, certain, early(err)
		},
	}
}

// result says what an answer is worth for a connection.
func result(a conntrack.Answer, p conn.Phase) ends.Result {
	switch {
	case a.Result == conntrack.NoEntry:
		return ends.NoEntry
	case a.Result == conntrack.TooEarly:
		return ends.Early
	case a.Result == conntrack.Found && fits(p, a.State):
		return ends.Found
	case a.Result == conntrack.Found:
		return ends.Displaced
	}
	return ends.Unknown
}

// fits reports whether an entry's state can be that of the connection. An open entry is not that of a connection that
// has ended.
func fits(p conn.Phase, s conntrack.State) bool {
	switch p {
	case conn.Closed:
		return s.Closing()
	case conn.Failed:
		return s.Opening() || s.Closing()
	}
	return true
}

// early names the error in the words of package ends.
func early(err error) error {
	if errors.Is(err, conntrack.ErrTooEarly) {
		return ends.ErrEarly
	}
	return err
}

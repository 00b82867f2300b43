package conntrack

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// maxZones is how many zones of a namespace are looked up beside zone 0. Each costs one lookup more.
	maxZones = 8
	// dumpTimeout is how long a namespace's table is read for its zones. The rest of a larger table stays unread.
	dumpTimeout = time.Second
	// dumpPause is the shortest time from one reading of a table to the next. It is also dumpShare times the processor
	// time of the last reading. The time that passed would not do: see searchShare.
	dumpPause = time.Second
	dumpShare = 50
	// zonesTimeout is the time from one reading to the next where packets have entries, and no known zone translates
	// them. Zones are set up with a namespace and rarely change, and reading fifty thousand entries takes a tenth of a
	// second.
	zonesTimeout = 10 * time.Minute
	// countPause is the time from one request for the size of an empty table to the next.
	countPause = time.Second
)

// zones are the zones of a namespace in which entries were seen, beside zone 0.
type zones struct {
	known      []uint16
	overflow   bool      // there are more zones than are looked up
	incomplete bool      // only a part of the table was read
	readAt     time.Time // when the table was last read
	nextRead   time.Time // the earliest time to read it again
}

// add keeps a zone if there is room.
func (z *zones) add(zone uint16) {
	switch {
	case zone == 0 || slices.Contains(z.known, zone):
	case len(z.known) == maxZones:
		z.overflow = true
	default:
		z.known = append(z.known, zone)
	}
}

// learn adds the zones of a table. dump reads the table, passes on the zones in it, and reports whether it has read all
// of it. An overflow that was seen before only ends when a whole table shows none.
func (z *zones) learn(now time.Time, dump func(add func(uint16)) (whole bool, err error)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, overflow := threadTime(), z.overflow
	z.overflow = false
	whole, err := dump(z.add)
	z.incomplete = !whole || err != nil
	z.overflow = z.overflow || z.incomplete && overflow
	z.readAt, z.nextRead = now, now.Add(max(dumpPause, dumpShare*(threadTime()-began)))
	return err
}

// wantsExam reports whether a namespace has to be examined because of an answer that translates nothing. Where the
// packet has an entry, most likely all zones are known.
func (n *netns) wantsExam(now time.Time, a *Answer) bool {
	if n.examinedAt.Equal(now) {
		return false
	}
	return a.Result != Found || now.Sub(n.zones.readAt) >= zonesTimeout
}

// examine finds out whether a namespace tracks connections, and if so in which zones. It reports whether it found a new
// zone. The kernel is asked for neither at every lookup: see the pauses.
func (g *registry) examine(now time.Time, n *netns) (found bool, err error) {
	if !n.tracks && now.Before(n.nextCount) || n.tracks && now.Before(n.zones.nextRead) {
		return false, nil
	}
	file, err := g.open(now, n)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if !n.tracks {
		n.emptyAt, n.nextCount = now, now.Add(countPause)
		entries, err := readTableSize(file)
		if n.tracks = entries > 0; err != nil || !n.tracks {
			if err == nil {
				n.rules, err = readRules(file)
			}
			return false, err
		}
	}
	before := len(n.zones.known)
	err = n.zones.learn(now, func(add func(uint16)) (bool, error) { return dumpZones(file, add) })
	return len(n.zones.known) > before, err
}

// qualify returns what it means that no known zone of a namespace translates a packet. There may be an entry in a zone
// that came into use after the table was read, or in a namespace that tracked nothing until now. If the connection is
// open, the next examination shows it. If there is a zone that is known and not looked up, it may translate even a
// packet with an entry elsewhere.
func (n *netns) qualify(now time.Time, l *Lookup, a Answer) Answer {
	found := a.Result == Found
	switch {
	case n.zones.overflow:
		return Answer{Result: Ambiguous}
	case found && now.Sub(n.zones.readAt) < zonesTimeout:
		return a
	case errors.Is(n.examineErr, ErrTooEarly):
		return Answer{Result: TooEarly}
	case found && !n.zones.readAt.IsZero(): // it is too early to read it again, or it cannot be read
		return a
	case n.examineErr != nil || n.zones.incomplete:
		return Answer{Result: Ambiguous}
	case l.Open && !n.zones.readAt.Equal(now) && (n.tracks || !n.emptyAt.Equal(now)):
		return Answer{Result: TooEarly}
	}
	a.Translates = n.tracks || n.rules.translate(l.Tuple.Source.Addr())
	return a
}

// readTableSize returns how many connections a namespace tracks.
func readTableSize(in *os.File) (entries uint32, err error) {
	c, err := dial(unix.NETLINK_NETFILTER, in)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("use netlink socket: %w", err)
	}
	answer := make([]byte, 512)
	var n int
	// The answer is marked as one of several, but no other follows. The netlink library would wait for it.
	if controlErr := raw.Control(func(fd uintptr) { n, err = requestTableSize(int(fd), answer) }); controlErr != nil {
		return 0, fmt.Errorf("use netlink socket: %w", controlErr)
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the size of a table: %w", err)
	}
	return parseTableSize(answer[:n])
}

func requestTableSize(fd int, answer []byte) (int, error) {
	request := appendHeader(nil, ctGetStats, 0, unix.AF_UNSPEC)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	n, _, err := unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT)
	return n, err
}

// dumpZones reads the table of a namespace, passes on the zones in it, and reports whether it has read all of it.
func dumpZones(in *os.File, add func(uint16)) (whole bool, err error) {
	c, err := dial(unix.NETLINK_NETFILTER, in)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(dumpTimeout)); err != nil {
		return false, fmt.Errorf("limit the time to read a table: %w", err)
	}
	if _, err := c.Send(netlink.Message{
		Header: netlink.Header{Type: ctGet, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	}); err != nil {
		return false, fmt.Errorf("ask for a table: %w", err)
	}
	for m, err := range c.ReceiveIter() {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read a table: %w", err)
		}
		if e, err := parseEntry(m.Data); err == nil {
			for _, zone := range e.zones {
				add(zone)
			}
		}
	}
	return true, nil
}

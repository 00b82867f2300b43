package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// maxZones of a namespace are asked about beside zone 0: each is a lookup more.
	maxZones = 8
	// dumpTime is how long a namespace's table is read for its zones: what a larger one holds after that goes unread.
	dumpTime = time.Second
	// dumpPause is how long it takes from one reading to the next at least; it is also so many times as long as the last one took.
	dumpPause = time.Second
	dumpShare = 50
	// zonesAge is how long it takes from one reading to the next where packets are known, and no zone that was seen translates them. Zones
	// come with what sets a namespace up, and to read fifty thousand entries takes a tenth of a second or more.
	zonesAge = 10 * time.Minute
	// censusPause is how long it takes from one question for the size of a table that was empty to the next.
	censusPause = time.Second
)

// zones are those of a namespace, beside zone 0, in which entries were seen.
type zones struct {
	known []uint16
	more  bool      // than are asked about were seen
	part  bool      // of the table could be read, and not all
	read  time.Time // when it was read
	next  time.Time // when it may be read again
}

// examine finds out whether a namespace tracks connections at all, and if so in which zones. It tells whether it found a zone. Neither is
// asked for at every question: see the pauses.
func (g *registry) examine(now time.Time, n *namespace) (found bool, err error) {
	if !n.tracks && now.Before(n.census) || n.tracks && now.Before(n.zones.next) {
		return false, nil
	}
	file, err := g.enter(now, n)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if !n.tracks {
		n.counted, n.census = now, now.Add(censusPause)
		entries, err := countEntries(file)
		if n.tracks = entries > 0; err != nil || !n.tracks {
			return false, err
		}
	}
	before := len(n.zones.known)
	err = n.zones.learn(now, file)
	return len(n.zones.known) > before, err
}

// learn reads a table for zones that are not known yet.
func (z *zones) learn(now time.Time, in *os.File) error {
	began, before := time.Now(), z.more
	z.more = false
	whole, err := dumpZones(in, z.add)
	z.part = !whole || err != nil
	z.more = z.more || z.part && before
	z.read, z.next = now, now.Add(max(dumpPause, dumpShare*time.Since(began)))
	return err
}

// countEntries returns how many connections a namespace tracks.
func countEntries(in *os.File) (uint32, error) {
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
	// The answer is marked as one of several, and no other follows: the library would wait for it.
	if err := raw.Control(func(fd uintptr) { n, err = askSize(int(fd), answer) }); err != nil {
		return 0, fmt.Errorf("use netlink socket: %w", err)
	}
	if err != nil {
		return 0, fmt.Errorf("ask for the size of a table: %w", err)
	}
	return parseSize(answer[:n])
}

func askSize(fd int, answer []byte) (int, error) {
	request := appendHeader(nil, ctGetStats, 0, unix.AF_UNSPEC)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	n, _, err := unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT)
	return n, err
}

func parseSize(answer []byte) (uint32, error) {
	for kind, value := range attributes(answer[min(unix.SizeofNlMsghdr+sizeofNfgenmsg, len(answer)):]) {
		if kind == ctaStatsGlobalEntries && len(value) == 4 {
			return binary.BigEndian.Uint32(value), nil
		}
	}
	return 0, errors.New("read the size of a table: no answer")
}

// add keeps a zone if there is room.
func (z *zones) add(zone uint16) {
	switch {
	case zone == 0 || slices.Contains(z.known, zone):
	case len(z.known) == maxZones:
		z.more = true
	default:
		z.known = append(z.known, zone)
	}
}

// dumpZones reads the table of a namespace, of which only the zones are looked at, and tells whether it read all of it.
func dumpZones(in *os.File, add func(uint16)) (whole bool, err error) {
	c, err := dial(unix.NETLINK_NETFILTER, in)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(dumpTime)); err != nil {
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

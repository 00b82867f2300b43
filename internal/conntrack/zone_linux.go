package conntrack

import (
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
	// A namespace's table is read for its zones when something is not found in those that are known, but not again before this has
	// passed; where nothing new was found, twice as much each time.
	dumpPause    = 10 * time.Second
	maxDumpPause = 10 * time.Minute
	// dumpTime is how long a table is read: what a larger one holds after that goes unread.
	dumpTime = 200 * time.Millisecond
)

// zones are those of a namespace, beside zone 0, in which entries were seen.
type zones struct {
	known []uint16
	next  time.Time // when the table may be read again
	pause time.Duration
}

// learn reads a namespace's table for zones that are not known yet, unless it was read lately. It tells whether it found any.
func (g *registry) learn(now time.Time, n *namespace) (found bool, err error) {
	z := &n.zones
	z.pause = min(max(2*z.pause, dumpPause), maxDumpPause)
	z.next = now.Add(z.pause)
	file, err := g.enter(now, n)
	if err != nil {
		return false, err
	}
	defer file.Close()
	before := len(z.known)
	if err := dumpZones(file, z.add); err != nil {
		return false, err
	}
	if found = len(z.known) > before; found {
		z.pause = 0
	}
	return found, nil
}

// add keeps a zone if there is room.
func (z *zones) add(zone uint16) {
	if zone != 0 && len(z.known) < maxZones && !slices.Contains(z.known, zone) {
		z.known = append(z.known, zone)
	}
}

// dumpZones reads the table of a namespace, of which only the zones are looked at.
func dumpZones(in *os.File, add func(uint16)) error {
	c, err := dial(unix.NETLINK_NETFILTER, in)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(dumpTime)); err != nil {
		return fmt.Errorf("limit the time to read a table: %w", err)
	}
	if _, err := c.Send(netlink.Message{
		Header: netlink.Header{Type: ctGet, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	}); err != nil {
		return fmt.Errorf("ask for a table: %w", err)
	}
	for m, err := range c.ReceiveIter() {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a table: %w", err)
		}
		if e, err := parseEntry(m.Data); err == nil {
			for _, zone := range e.zones {
				add(zone)
			}
		}
	}
	return nil
}

package conntrack

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// currentNetns is the id by which the kernel's lookup function means the namespace of the thread (BPF_F_CURRENT_NETNS).
const currentNetns = -1

// netns is a network namespace that is known by an id in the home namespace. Neither the id nor anything here keeps it
// alive.
type netns struct {
	inode  uint32
	cookie uint64 // 0: not known
	id     int32
	path   string // by which it was last found
	zones  zones

	tracks    bool      // it has had an entry since it is known
	emptyAt   time.Time // when its table was last seen empty
	nextCount time.Time // the earliest time to ask for the size of its table again
	rules     rules     // when its table was last seen empty

	examinedAt time.Time // when it was last examined for zones
	examineErr error

	interfaces *interfaces // nil: not read, or changed since
}

// netnsKey is what a lookup knows of a namespace.
type netnsKey struct {
	inode  uint32
	cookie uint64 // 0: not known
}

// registry holds the known namespaces.
type registry struct {
	finder
	home      *homeThread
	route     *netlink.Conn // in the home namespace
	events    *events       // nil: the kernel does not report changes
	eventsErr error         // why not
	byInode   map[uint32]*netns
	byID      map[int32]*netns
	notYet    map[uint32]bool // that the last search found, and that could not be registered then
	lastID    int32           // ids are never reused, so the id of a deleted namespace never points to another one
}

func newRegistry(proc string) *registry {
	return &registry{finder: newFinder(proc), byInode: make(map[uint32]*netns), byID: make(map[int32]*netns)}
}

func openRegistry(home *homeThread, proc string, now time.Time) (_ *registry, err error) {
	g := newRegistry(proc)
	g.home = home
	if g.route, err = dial(unix.NETLINK_ROUTE, home.netns); err != nil {
		return nil, err
	}
	g.events, g.eventsErr = openEvents(home)
	g.searchAndRegister(now)
	return g, nil
}

func (g *registry) Close() error {
	err := g.route.Close()
	if g.events != nil {
		err = errors.Join(err, g.events.Close())
	}
	return err
}

// known returns a namespace that was found before. If the one with the inode has another cookie, it is not the one.
func (g *registry) known(k netnsKey) *netns {
	n := g.byInode[k.inode]
	if n != nil && k.cookie != 0 && n.cookie != 0 && k.cookie != n.cookie {
		return nil
	}
	return n
}

// find returns a namespace, or nil if it cannot be found or entered. tooEarly: it may be found a moment later.
func (g *registry) find(now time.Time, k netnsKey, process uint32) (n *netns, tooEarly bool) {
	if n := g.known(k); n != nil {
		return n, false
	}
	if path, found := g.inProcess(process, k.inode); found && g.register(k.inode, path) == nil {
		if n := g.known(k); n != nil {
			return n, false
		}
	}
	tooEarly = !g.searchAndRegister(now)
	n = g.known(k)
	return n, n == nil && (tooEarly || g.notYet[k.inode])
}

// searchAndRegister registers every namespace that a search finds, and reports whether a complete search was made. It
// is made at most as often as the finder allows.
func (g *registry) searchAndRegister(now time.Time) (complete bool) {
	if g.tooEarly(now) {
		return false
	}
	paths, complete := g.search(now)
	g.notYet = make(map[uint32]bool)
	if g.events == nil && complete {
		g.removeDeleted()
	}
	for inode, path := range paths {
		if n := g.byInode[inode]; n != nil {
			n.path = path
			continue
		}
		err := g.register(inode, path)
		if moved(err) || errors.Is(err, ErrTooEarly) { // or it may not be entered: a lookup in it says so
			g.notYet[inode] = true
		}
	}
	return complete
}

// register gives a namespace an id. The namespace is open only for as long as that takes.
func (g *registry) register(inode uint32, path string) error {
	file, err := openNetns(path, inode)
	if err != nil {
		return err
	}
	defer file.Close()
	n := &netns{inode: inode, cookie: readCookie(file), path: path, id: g.lastID + 1}
	err = g.assignID(file, n.id)
	if errors.Is(err, unix.EEXIST) { // it was removed by mistake, and still has its id
		n.id, err = g.assignedID(file)
	}
	if err != nil {
		return err
	}
	g.add(n)
	return nil
}

func (g *registry) add(n *netns) {
	g.lastID = max(g.lastID, n.id)
	g.byInode[n.inode], g.byID[n.id] = n, n
}

// remove forgets a namespace, but not another one that has its inode by now.
func (g *registry) remove(n *netns) {
	if g.byID[n.id] == n {
		delete(g.byID, n.id)
	}
	if g.byInode[n.inode] == n {
		delete(g.byInode, n.inode)
	}
}

// removeDeleted forgets the namespaces that have no id in the home namespace any more. It is needed where the kernel
// does not report that they were deleted.
func (g *registry) removeDeleted() {
	answers, err := request(g.route, unix.RTM_GETNSID, netlink.Dump, make([]byte, sizeofRtgenmsg))
	if err != nil {
		return // the namespaces stay known until the next search
	}
	existing := make(map[int32]bool, len(answers))
	for _, m := range answers {
		id, _ := parseNsid(m.Data)
		existing[id] = true
	}
	g.keepOnly(existing)
}

func (g *registry) keepOnly(existing map[int32]bool) {
	for id, n := range g.byID {
		if !existing[id] {
			g.remove(n)
		}
	}
}

// applyEvents applies what the kernel has reported since the last call.
func (g *registry) applyEvents() {
	if g.events == nil {
		return
	}
	if lost := g.events.read(g.apply); lost {
		g.removeDeleted()
		for _, n := range g.byInode {
			n.interfaces = nil
		}
	}
}

func (g *registry) apply(e event) {
	n := g.byID[e.id]
	switch {
	case n == nil:
	case e.deleted:
		g.remove(n)
	default:
		n.interfaces = nil
	}
}

// open opens a known namespace. If its path does not lead to it any more, a search may find another one, now or later:
// a path by a thread may be of no use a moment after the search.
func (g *registry) open(now time.Time, n *netns) (*os.File, error) {
	if file, err := openNetns(n.path, n.inode); err == nil {
		return file, nil
	}
	tooEarly := !g.searchAndRegister(now)
	file, err := openNetns(n.path, n.inode)
	if err != nil && (tooEarly || moved(err)) {
		return nil, fmt.Errorf("%w: %w", ErrTooEarly, err)
	}
	return file, err
}

// readCookie returns the cookie of a namespace, which no other one ever has; 0: not known (before Linux 5.14).
func readCookie(namespace *os.File) (cookie uint64) {
	c, err := dial(unix.NETLINK_ROUTE, namespace)
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		cookie, err = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	})
	if err != nil {
		return 0
	}
	return cookie
}

// assignID gives a namespace an id in the home namespace (RTM_NEWNSID).
func (g *registry) assignID(file *os.File, id int32) error {
	message := make([]byte, sizeofRtgenmsg)
	message = appendUint32(message, unix.NETNSA_NSID, uint32(id))
	message = appendUint32(message, unix.NETNSA_FD, uint32(file.Fd()))
	_, err := request(g.route, unix.RTM_NEWNSID, netlink.Acknowledge, message)
	return err
}

// assignedID returns the id that a namespace has in the home namespace.
func (g *registry) assignedID(file *os.File) (int32, error) {
	message := appendUint32(make([]byte, sizeofRtgenmsg), unix.NETNSA_FD, uint32(file.Fd()))
	answers, err := request(g.route, unix.RTM_GETNSID, 0, message)
	if err != nil {
		return 0, fmt.Errorf("ask for the id of a namespace: %w", err)
	}
	for _, m := range answers {
		if id, _ := parseNsid(m.Data); id >= 0 {
			return id, nil
		}
	}
	return 0, errors.New("ask for the id of a namespace: it has none")
}

// byForeignID returns the namespace that has an id in namespace n, or nil if it is not known.
func (g *registry) byForeignID(n *netns, id int32) (*netns, error) {
	message := appendUint32(make([]byte, sizeofRtgenmsg), unix.NETNSA_TARGET_NSID, uint32(n.id))
	answers, err := request(g.route, unix.RTM_GETNSID, netlink.Dump, message)
	if err != nil {
		return nil, fmt.Errorf("list the namespaces that are known in another one: %w", err)
	}
	for _, m := range answers {
		if theirs, ours := parseNsid(m.Data); theirs == id {
			return g.byID[ours], nil
		}
	}
	return nil, nil
}

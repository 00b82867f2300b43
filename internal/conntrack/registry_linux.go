package conntrack

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// currentNamespace is the id by which the kernel's function means the namespace of the thread (BPF_F_CURRENT_NETNS).
const currentNamespace = -1

// A namespace is known by an id in the room. Neither the id nor anything here keeps it alive.
type namespace struct {
	inode  uint32
	cookie uint64 // 0: the kernel does not tell
	id     int32
	path   string // by which it was found last
	zones  zones

	tracks  bool      // connections, as far as was seen
	counted time.Time // when it tracked none
	census  time.Time // when that may be asked for again

	examined time.Time // for what its answers mean
	unknown  error     // why that could not be found out
	view     *view     // nil: not read yet, or changed since
}

// A registry holds the namespaces that are known.
type registry struct {
	finder
	room   *room
	route  *netlink.Conn // in the room
	events *events       // nil: the kernel may not tell us of changes
	deaf   error         // why not
	inodes map[uint32]*namespace
	ids    map[int32]*namespace
	last   int32 // id that was given; none is given twice, so that an old one means nobody
}

func openRegistry(r *room, proc string, now time.Time) (*registry, error) {
	g := &registry{
		finder: finder{proc: proc, misses: make(map[miss]struct{})}, room: r,
		inodes: make(map[uint32]*namespace), ids: make(map[int32]*namespace),
	}
	var err error
	if g.route, err = dial(unix.NETLINK_ROUTE, r.file); err != nil {
		return nil, err
	}
	g.events, g.deaf = openEvents(r)
	g.look(now)
	return g, nil
}

func (g *registry) Close() error {
	err := g.route.Close()
	if g.events != nil {
		err = errors.Join(err, g.events.Close())
	}
	return err
}

// dial opens a netlink socket in a namespace. The socket keeps the namespace alive until it is closed.
func dial(family int, in *os.File) (*netlink.Conn, error) {
	c, err := netlink.Dial(family, &netlink.Config{NetNS: int(in.Fd()), Strict: true})
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return c, nil
}

// sought is what a namespace is known by where it was met.
type sought struct {
	inode  uint32
	cookie uint64 // 0: not known
}

// known returns the namespace that is sought. One that has its inode and another cookie is not.
func (g *registry) known(s sought) *namespace {
	n := g.inodes[s.inode]
	if n != nil && s.cookie != 0 && n.cookie != 0 && s.cookie != n.cookie {
		return nil
	}
	return n
}

// find returns a namespace, or nil if it cannot be found or entered; early tells that it may be found a moment later.
func (g *registry) find(now time.Time, s sought, process uint32) (n *namespace, early bool) {
	if n := g.known(s); n != nil {
		return n, false
	}
	if path, found := g.through(process, s.inode); found && g.register(s.inode, path) == nil {
		if n := g.known(s); n != nil {
			return n, false
		}
	}
	early = !g.look(now)
	n = g.known(s)
	return n, early && n == nil
}

// look registers every namespace that a search finds, and tells whether it was time for a complete one.
func (g *registry) look(now time.Time) (complete bool) {
	if g.early(now) {
		return false
	}
	paths, complete := g.search(now)
	if g.events == nil && complete {
		g.sweep()
	}
	for inode, path := range paths {
		if n := g.inodes[inode]; n != nil {
			n.path = path
			continue
		}
		_ = g.register(inode, path) // it has ended, or is not ours to look into: whoever asks is told so
	}
	return complete
}

// register gives a namespace an id. It is open no longer than that takes.
func (g *registry) register(inode uint32, path string) error {
	file, err := open(path, inode)
	if err != nil {
		return err
	}
	defer file.Close()
	n := &namespace{inode: inode, cookie: cookieOf(file), path: path, id: g.last + 1}
	err = g.name(file, n.id)
	if errors.Is(err, unix.EEXIST) { // it was let go by mistake
		n.id, err = g.named(file)
	}
	if err != nil {
		return err
	}
	g.last = max(g.last, n.id)
	g.inodes[inode], g.ids[n.id] = n, n
	return nil
}

// cookieOf returns the number of a namespace that no other one ever has, from a socket in it; 0: not known (before Linux 5.14).
func cookieOf(namespace *os.File) (cookie uint64) {
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

// name makes id the room's id of a namespace (RTM_NEWNSID).
func (g *registry) name(file *os.File, id int32) error {
	message := make([]byte, sizeofRtgenmsg)
	message = appendNumber(message, unix.NETNSA_NSID, uint32(id))
	message = appendNumber(message, unix.NETNSA_FD, uint32(file.Fd()))
	_, err := request(g.route, unix.RTM_NEWNSID, netlink.Acknowledge, message)
	return err
}

// named returns the room's id of a namespace that has one.
func (g *registry) named(file *os.File) (int32, error) {
	answers, err := request(g.route, unix.RTM_GETNSID, 0, appendNumber(make([]byte, sizeofRtgenmsg), unix.NETNSA_FD, uint32(file.Fd())))
	if err != nil {
		return 0, fmt.Errorf("ask for the id of a namespace: %w", err)
	}
	for _, m := range answers {
		if id, _ := parseNamespaceID(m.Data); id >= 0 {
			return id, nil
		}
	}
	return 0, errors.New("ask for the id of a namespace: it has none")
}

// sweep forgets the namespaces that the room has no id for any more, where the kernel could not tell.
func (g *registry) sweep() {
	answers, err := request(g.route, unix.RTM_GETNSID, netlink.Dump, make([]byte, sizeofRtgenmsg))
	if err != nil {
		return // as before
	}
	alive := make(map[int32]bool, len(answers))
	for _, m := range answers {
		id, _ := parseNamespaceID(m.Data)
		alive[id] = true
	}
	for id, n := range g.ids {
		if !alive[id] {
			g.forget(n)
		}
	}
}

// sizeofRtgenmsg is that of struct rtgenmsg with what aligns the attributes after it.
const sizeofRtgenmsg = 4

// requestTime is how long an answer of the kernel may take: it comes at once, or never.
const requestTime = time.Second

// request sends a netlink message and returns the answers.
func request(c *netlink.Conn, kind uint16, flags netlink.HeaderFlags, message []byte) ([]netlink.Message, error) {
	if err := c.SetReadDeadline(time.Now().Add(requestTime)); err != nil {
		return nil, fmt.Errorf("limit the time of an answer: %w", err)
	}
	return c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags}, Data: message,
	})
}

func (g *registry) forget(n *namespace) {
	if g.ids[n.id] == n {
		delete(g.ids, n.id)
	}
	if g.inodes[n.inode] == n {
		delete(g.inodes, n.inode)
	}
}

// refresh takes note of what the kernel told since the last call.
func (g *registry) refresh() {
	if g.events == nil {
		return
	}
	missed := g.events.read(func(e event) {
		n := g.ids[e.id]
		switch {
		case n == nil:
		case e.gone:
			g.forget(n)
		default:
			n.view = nil
		}
	})
	if !missed {
		return
	}
	g.sweep()
	for _, n := range g.inodes {
		n.view = nil
	}
}

// enter opens a namespace that is known, by another path if that by which it was found does not lead there any more.
func (g *registry) enter(now time.Time, n *namespace) (*os.File, error) {
	if file, err := open(n.path, n.inode); err == nil {
		return file, nil
	}
	early := !g.look(now)
	file, err := open(n.path, n.inode)
	if err != nil && early {
		return nil, fmt.Errorf("%w: %w", ErrEarly, err)
	}
	return file, err
}

// peer returns the namespace that has an id in n's own counting, or nil if it is not known.
func (g *registry) peer(n *namespace, id int32) (*namespace, error) {
	message := appendNumber(make([]byte, sizeofRtgenmsg), unix.NETNSA_TARGET_NSID, uint32(n.id))
	answers, err := request(g.route, unix.RTM_GETNSID, netlink.Dump, message)
	if err != nil {
		return nil, fmt.Errorf("list the namespaces that are known in another one: %w", err)
	}
	for _, m := range answers {
		if theirs, ours := parseNamespaceID(m.Data); theirs == id {
			return g.ids[ours], nil
		}
	}
	return nil, nil
}

// parseNamespaceID reads a message of RTM_GETNSID: a namespace's id in the namespace that was asked about, and in the one that asks.
func parseNamespaceID(data []byte) (theirs, ours int32) {
	theirs, ours = -1, -1
	for kind, value := range attributes(data[min(sizeofRtgenmsg, len(data)):]) {
		n, _ := number(value)
		switch kind {
		case unix.NETNSA_NSID:
			theirs = int32(n)
		case unix.NETNSA_CURRENT_NSID:
			ours = int32(n)
		}
	}
	return theirs, ours
}

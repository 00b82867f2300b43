package conntrack

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// zoneLookup is a lookup in one zone of a namespace.
type zoneLookup struct {
	netns    *netns
	zone     uint16
	protocol uint8
	tuple    conn.Tuple
}

// requestsAtOnce is how many requests go into one datagram. The kernel answers each before it reads the next, so the
// socket has to have room for all answers.
const requestsAtOnce = 32

// netlinkSource asks ctnetlink. It has a socket in a namespace only during the lookups there, as a socket keeps its
// namespace alive.
type netlinkSource struct {
	open func(*netns) (*os.File, error)
}

// lookUp does lookups namespace by namespace.
func (s *netlinkSource) lookUp(lookups []zoneLookup, answers []Answer) {
	for n, which := range byNamespace(lookups) {
		if err := s.lookUpIn(n, lookups, which, answers); err != nil {
			result := NoNamespace
			if errors.Is(err, ErrTooEarly) {
				result = TooEarly
			}
			for _, i := range which {
				answers[i] = Answer{Result: result}
			}
		}
	}
}

// byNamespace returns the indexes of the lookups in each namespace.
func byNamespace(lookups []zoneLookup) map[*netns][]int {
	which := make(map[*netns][]int)
	for i := range lookups {
		which[lookups[i].netns] = append(which[lookups[i].netns], i)
	}
	return which
}

func (s *netlinkSource) lookUpIn(n *netns, lookups []zoneLookup, which []int, answers []Answer) error {
	file, err := s.open(n)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := dial(unix.NETLINK_NETFILTER, file)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("use netlink socket: %w", err)
	}
	buffer := make([]byte, 1<<14)
	for len(which) > 0 {
		some := which[:min(len(which), requestsAtOnce)]
		which = which[len(some):]
		if err := raw.Control(func(fd uintptr) { exchange(int(fd), lookups, some, answers, buffer) }); err != nil {
			return fmt.Errorf("use netlink socket: %w", err)
		}
	}
	return nil
}

// exchange sends requests in one datagram and reads one answer to each: an entry, or an error.
func exchange(fd int, lookups []zoneLookup, which []int, answers []Answer, buffer []byte) {
	out := buffer[:0]
	for sequence, i := range which {
		answers[i] = Answer{Result: Failed}
		out = appendRequest(out, uint32(sequence), &lookups[i])
	}
	if err := unix.Sendto(fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return
	}
	for answered := 0; answered < len(which); answered++ {
		n, err := unix.Read(fd, buffer) // the socket does not block
		if errors.Is(err, unix.EINTR) {
			answered--
			continue
		}
		if err != nil {
			return
		}
		take(buffer[:n], lookups, which, answers)
	}
}

// take assigns a message to the lookup that it answers. The sequence number of a request is its place in which.
func take(message []byte, lookups []zoneLookup, which []int, answers []Answer) {
	sequence, e, result, err := parseReply(message)
	if err != nil || int64(sequence) >= int64(len(which)) {
		return
	}
	i := which[sequence]
	if answers[i] = (Answer{Result: result}); result == Found {
		answers[i] = e.answer(lookups[i].tuple)
	}
}

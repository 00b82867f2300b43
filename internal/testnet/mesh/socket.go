//go:build linux

package mesh

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Socket is a TCP connection as a socket list of its namespace shows it.
type Socket struct {
	Local, Remote netip.AddrPort
	Pid           int // of the process that has it
}

// Sockets returns the established connections of processes that share a network namespace, in the kernel's order.
func Sockets(pids ...int) (all []Socket, err error) {
	owners := make(map[string]int) // by the socket's inode
	for _, pid := range pids {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			return nil, err
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil { // it may have been closed
				owners[target] = pid
			}
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pids[0], table))
		if err != nil {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
		some, err := parseSockets(file, owners)
		file.Close()
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// parseSockets reads /proc/net/tcp or tcp6 (proc_pid_net(5)), and returns the established connections with an
// owner.
func parseSockets(r io.Reader, owners map[string]int) (all []Socket, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		const established = "01"
		if len(f) < 10 || f[3] != established {
			continue
		}
		pid, owned := owners["socket:["+f[9]+"]"]
		if !owned {
			continue
		}
		s := Socket{Pid: pid}
		if s.Local, err = parseEndpoint(f[1]); err != nil {
			return nil, err
		}
		if s.Remote, err = parseEndpoint(f[2]); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, lines.Err()
}

// parseEndpoint reads an address, as 32-bit words in the machine's order, and a port, both in hexadecimal digits.
func parseEndpoint(text string) (netip.AddrPort, error) {
	address, port, found := strings.Cut(text, ":")
	words, err := hex.DecodeString(address)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if !found || err != nil || portErr != nil || len(words)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("read endpoint: %q", text)
	}
	for i := 0; i < len(words); i += 4 {
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	a, ok := netip.AddrFromSlice(words)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("read endpoint: %q", text)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

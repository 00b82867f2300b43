package conntrack

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// parseMounts reads proc_pid_mountinfo(5), and returns the mount point of each network namespace.
func parseMounts(r io.Reader) map[uint32]string {
	mounts := make(map[uint32]string)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if inode, ok := parseNetnsLink(fields[3]); ok {
			mounts[inode] = unescape(fields[4])
		}
	}
	return mounts
}

// unescape replaces \040 and the like by the characters that they stand for.
func unescape(path string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(path, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if len(after) >= 3 {
			if c, err := strconv.ParseUint(after[:3], 8, 8); err == nil {
				b.WriteByte(byte(c))
				path = after[3:]
				continue
			}
		}
		b.WriteByte('\\')
		path = after
	}
}

package conntrack

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The time from one search to the next: so many times what the last one took, but not less than this. Of threads there are many more than
// of processes and mounts.
const (
	searchShare  = 50
	searchPause  = 50 * time.Millisecond
	threadsPause = time.Second
)

// A finder finds network namespaces by their inodes.
type finder struct {
	proc     string    // the host's /proc
	next     time.Time // when there may be another search
	threads  time.Time // and one that looks at threads
	searches uint64
	misses   map[miss]struct{} // since the last search
}

// A miss is a process that is not in a namespace.
type miss struct{ process, inode uint32 }

// maxThreads of a process are looked at, when it is named as one that may be in a namespace.
const maxThreads = 64

// through looks for a namespace in one process, of which only a thread may be in it.
func (f *finder) through(process, inode uint32) (path string, found bool) {
	if _, missed := f.misses[miss{process, inode}]; missed || process == 0 {
		return "", false
	}
	own := filepath.Join(f.proc, strconv.FormatUint(uint64(process), 10))
	links := []string{filepath.Join(own, "ns/net")}
	for _, thread := range names(filepath.Join(own, "task"), maxThreads) {
		links = append(links, filepath.Join(own, "task", thread, "ns/net"))
	}
	for _, link := range links {
		if there, err := inodeOf(link); err == nil && there == inode {
			return link, true
		}
	}
	f.misses[miss{process, inode}] = struct{}{}
	return "", false
}

// names returns the first names in a folder of /proc; -1: all.
func names(path string, most int) []string {
	dir, err := os.Open(path)
	if err != nil {
		return nil // the process has ended
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(most) // what was read before an error counts
	return names
}

// early tells whether there may be no search yet: what finds nothing new would find nothing new a moment later either.
func (f *finder) early(now time.Time) bool { return now.Before(f.next) }

// search returns a path for each namespace that a process is in, or that is mounted somewhere in the sight of the first process or our own
// (as container runtimes and ip netns do); now and then also for those that only a thread is in: then it is complete.
func (f *finder) search(now time.Time) (paths map[uint32]string, complete bool) {
	f.searches++
	clear(f.misses)
	began := time.Now()
	threads := !now.Before(f.threads)
	paths = make(map[uint32]string)
	for _, process := range names(f.proc, -1) {
		if process[0] < '1' || process[0] > '9' {
			continue
		}
		own := filepath.Join(f.proc, process)
		if threads {
			for _, thread := range names(filepath.Join(own, "task"), -1) {
				addLink(paths, filepath.Join(own, "task", thread, "ns/net"))
			}
		}
		addLink(paths, filepath.Join(own, "ns/net")) // it lasts longer than a thread
	}
	for _, process := range []string{"1", "self"} {
		f.addMounts(paths, filepath.Join(f.proc, process)) // a mount outlives the processes
	}
	pause := searchShare * time.Since(began)
	f.next = now.Add(max(pause, searchPause))
	if threads {
		f.threads = now.Add(max(pause, threadsPause))
	}
	return paths, threads
}

func addLink(paths map[uint32]string, link string) {
	if inode, err := inodeOf(link); err == nil { // it may have ended, or belong to a user namespace that is shut to us
		paths[inode] = link
	}
}

func (f *finder) addMounts(paths map[uint32]string, process string) {
	file, err := os.Open(filepath.Join(process, "mountinfo"))
	if err != nil {
		return // not ours to see
	}
	defer file.Close()
	for inode, path := range parseMounts(file) {
		paths[inode] = filepath.Join(process, "root", path)
	}
}

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
		if inode, ok := parseLink(fields[3]); ok {
			mounts[inode] = unescape(fields[4])
		}
	}
	return mounts
}

// unescape turns \040 and the like back into characters.
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

// inodeOf reads what a link in /proc says, which opens nothing.
func inodeOf(link string) (uint32, error) {
	target, err := os.Readlink(link)
	if err != nil {
		return 0, err
	}
	inode, ok := parseLink(target)
	if !ok {
		return 0, fmt.Errorf("read %s: %q is no network namespace", link, target)
	}
	return inode, nil
}

// parseLink reads net:[4026531840].
func parseLink(target string) (inode uint32, ok bool) {
	digits, ok := strings.CutPrefix(target, "net:[")
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, "]")
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil
}

// open opens a namespace, if the path still leads to it.
func open(path string, inode uint32) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		file.Close()
		return nil, fmt.Errorf("stat %s: %w", path, err)
	}
	if uint32(st.Ino) != inode {
		file.Close()
		return nil, fmt.Errorf("open %s: it is another namespace by now", path)
	}
	return file, nil
}

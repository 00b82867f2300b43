package conntrack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// searchShare limits searches to a share of a processor: the pause after a search is so many times its processor
	// time. The time that passes would not do: on a busy machine the pause would outlast the wait for an answer.
	searchShare = 50
	// searchPause and threadsPause are the shortest time from one search to the next, and to the next that also looks
	// at threads. There are many more threads than processes and mounts.
	searchPause  = 50 * time.Millisecond
	threadsPause = time.Second
	// maxThreads is how many threads of a process are looked at when a lookup names the process.
	maxThreads = 64
)

// finder finds network namespaces by their inodes.
type finder struct {
	proc        string    // the host's /proc
	nextSearch  time.Time // the earliest time of another search
	nextThreads time.Time // and of one that looks at threads
	searches    uint64
	misses      map[miss]struct{} // since the last search
}

// miss is a process that was looked at, and that is not in a namespace.
type miss struct{ process, inode uint32 }

func newFinder(proc string) finder { return finder{proc: proc, misses: make(map[miss]struct{})} }

// inProcess returns a path to a namespace that one of a process's threads is in.
func (f *finder) inProcess(process, inode uint32) (path string, found bool) {
	if _, missed := f.misses[miss{process, inode}]; missed || process == 0 {
		return "", false
	}
	own := filepath.Join(f.proc, strconv.FormatUint(uint64(process), 10))
	links := []string{filepath.Join(own, "ns/net")}
	for _, thread := range fileNames(filepath.Join(own, "task"), maxThreads) {
		links = append(links, filepath.Join(own, "task", thread, "ns/net"))
	}
	for _, link := range links {
		if got, err := readInode(link); err == nil && got == inode {
			return link, true
		}
	}
	f.misses[miss{process, inode}] = struct{}{}
	return "", false
}

// tooEarly reports whether it is too early for another search, which would find little that the last one did not.
func (f *finder) tooEarly(now time.Time) bool { return now.Before(f.nextSearch) }

// search returns a path for each namespace that a process is in, or that is mounted where the first process or this one
// sees it (as container runtimes and ip netns do). A complete search also finds a namespace that only a thread is in.
func (f *finder) search(now time.Time) (paths map[uint32]string, complete bool) {
	f.searches++
	clear(f.misses)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	complete = !now.Before(f.nextThreads)
	paths, threads := make(map[uint32]string), make(map[uint32]string)
	for _, process := range fileNames(f.proc, -1) {
		if process[0] < '1' || process[0] > '9' {
			continue
		}
		own := filepath.Join(f.proc, process)
		if complete {
			for _, thread := range fileNames(filepath.Join(own, "task"), -1) {
				addLink(threads, filepath.Join(own, "task", thread, "ns/net"))
			}
		}
		addLink(paths, filepath.Join(own, "ns/net"))
	}
	for inode, link := range threads {
		if paths[inode] == "" { // a thread may visit a namespace for a moment, as those of a proxy for many pods do
			paths[inode] = link
		}
	}
	for _, process := range []string{"1", "self"} {
		f.addMounts(paths, filepath.Join(f.proc, process)) // preferred to those of processes, as a mount lives longer
	}
	pause := searchShare * (threadTime() - began)
	f.nextSearch = now.Add(max(pause, searchPause))
	if complete {
		f.nextThreads = now.Add(max(pause, threadsPause))
	}
	return paths, complete
}

// threadTime returns the processor time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // it cannot fail for the calling thread
	return time.Duration(t.Nano())
}

// fileNames returns up to so many names of files in a directory of /proc; -1: all of them.
func fileNames(path string, most int) []string {
	dir, err := os.Open(path)
	if err != nil {
		return nil // the process has ended
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(most) // with an error, too, the names that were read are right
	return names
}

func addLink(paths map[uint32]string, link string) {
	if inode, err := readInode(link); err == nil { // or the process has ended, or we may not look into it
		paths[inode] = link
	}
}

func (f *finder) addMounts(paths map[uint32]string, process string) {
	file, err := os.Open(filepath.Join(process, "mountinfo"))
	if err != nil {
		return // we may not look into it
	}
	defer file.Close()
	for inode, path := range parseMounts(file) {
		paths[inode] = filepath.Join(process, "root", path)
	}
}

// readInode reads which namespace a link in /proc is of, without opening the namespace.
func readInode(link string) (uint32, error) {
	target, err := os.Readlink(link)
	if err != nil {
		return 0, err
	}
	inode, ok := parseNetnsLink(target)
	if !ok {
		return 0, fmt.Errorf("read %s: %q is no network namespace", link, target)
	}
	return inode, nil
}

// parseNetnsLink reads net:[4026531840].
func parseNetnsLink(target string) (inode uint32, ok bool) {
	digits, ok := strings.CutPrefix(target, "net:[")
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, "]")
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil
}

// openNetns opens a namespace, if the path still leads to it.
func openNetns(path string, inode uint32) (*os.File, error) {
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
		return nil, fmt.Errorf("open %s: %w", path, errMoved)
	}
	return file, nil
}

var errMoved = errors.New("it is another namespace by now")

// moved reports whether a path does not lead to the namespace any more, although another one may.
func moved(err error) bool {
	return errors.Is(err, errMoved) || errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

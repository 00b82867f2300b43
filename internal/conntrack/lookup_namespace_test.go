//go:build linux

package conntrack

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// Nothing keeps a namespace alive, and the answer about a deleted one is not given for another one with its inode.
func TestNamespaceThatEnds(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		inode, process, end := startInNetns(t)
		lookup := Lookup{Namespace: inode, Process: process, Tuple: noConnection}
		result := func() Result { return x.LookUp(time.Now(), []Lookup{lookup})[0].Result }
		wantEqual(t, "while it lives", result(), NoEntry)
		n := x.registry.byInode[inode]
		end()
		for x.registry.byID[n.id] == n && result() != NoNamespace {
			time.Sleep(time.Millisecond) // the kernel ends namespaces in the background
		}
		if x.registry.byInode[inode] == n {
			t.Error("it is known still")
		}
		for range 100 {
			again, process, _ := startInNetns(t)
			if again != inode {
				continue
			}
			lookup.Process = process
			wantEqual(t, "another one with its inode", result(), NoEntry)
			return
		}
	})
}

// A namespace was deleted before the first lookup in it, and another one has its inode. That one is not asked instead,
// and is not forgotten with it.
func TestNamespaceThatHadTheInode(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		inode, process, _ := startInNetns(t)
		living := Lookup{Namespace: inode, Process: process, Cookie: cookie(t, process), Tuple: noConnection}
		if living.Cookie == 0 {
			t.Skip("the kernel does not tell cookies")
		}
		dead, whichever := living, living
		dead.Process, dead.Cookie, whichever.Cookie = 0, living.Cookie-1, 0
		results := func(now time.Time) (all [4]Result) {
			for i, a := range x.LookUp(now, []Lookup{dead, living, whichever, dead}) {
				all[i] = a.Result
			}
			return all
		}
		now := time.Now().Add(time.Hour)
		want := [4]Result{NoNamespace, NoEntry, NoEntry, TooEarly}
		wantEqual(t, "results", results(now), want)
		known := x.registry.byInode[inode]
		wantEqual(t, "results an hour later", results(now.Add(time.Hour)), want)
		if x.registry.byInode[inode] != known {
			t.Error("the living one was forgotten with the dead one")
		}
	})
}

func TestNamespaceThatWasNeverThere(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		lookup := Lookup{Namespace: 1, Process: 1, Tuple: noConnection}
		now := time.Now().Add(time.Hour)
		searches := x.Stats().Searches
		var got []Result
		for range 3 {
			got = append(got, x.LookUp(now, []Lookup{lookup})[0].Result)
		}
		wantEqual(t, "answers at one time", got, []Result{NoNamespace, TooEarly, TooEarly})
		wantEqual(t, "searches", x.Stats().Searches-searches, 1)
	})
}

// A namespace without any process is found where it is mounted.
func TestMountedNamespace(t *testing.T) {
	name := fmt.Sprintf("netconn-test-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		testnet.Require(t, fmt.Errorf("ip netns add: %w: %s", err, out))
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	var st unix.Stat_t
	if err := unix.Stat("/run/netns/"+name, &st); err != nil {
		t.Fatal(err)
	}
	tables(t, func(t *testing.T, x *Tables) {
		lookup := Lookup{Namespace: uint32(st.Ino), Tuple: noConnection}
		wantEqual(t, "answer", x.LookUp(time.Now(), []Lookup{lookup})[0], Answer{Result: NoEntry})
	})
}

// The process that opened a connection has ended, and another one is still in its namespace.
func TestAnotherMember(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	tables(t, func(t *testing.T, x *Tables) {
		inode, _, _ := startInNetns(t)
		lookup := Lookup{Namespace: inode, Process: uint32(gone.Process.Pid), Tuple: noConnection}
		later := time.Now().Add(time.Hour) // when there may be another search
		wantEqual(t, "answer", x.LookUp(later, []Lookup{lookup})[0], Answer{Result: NoEntry})
	})
}

// The process by which a namespace was found ends before netlink is asked there.
func TestMemberThatEndsBetweenFindingAndAsking(t *testing.T) {
	packet, out := tuple("10.0.0.1:40000", "10.96.1.3:80"), tuple("10.0.0.1:40000", "10.244.2.13:9080")
	found, gone := Answer{Tuple: out, State: Established}, Answer{Result: NoNamespace}
	for name, c := range map[string]struct {
		another bool
		want    Answer
		counted [Results]uint64 // but for those that were found, and too early
	}{
		"another one lives":  {true, found, [Results]uint64{}},
		"no process is left": {false, gone, [Results]uint64{NoNamespace: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			x := openTables(t, SourceNetlink)
			inode, process, end := startInNetns(t)
			add := exec.Command("conntrack", entryArguments(0, packet, out)...)
			beside(t, process, add)
			if err := add.Wait(); err != nil {
				t.Fatal(err)
			}
			if c.another {
				other := exec.Command("sleep", "60")
				beside(t, process, other)
				t.Cleanup(func() {
					_ = other.Process.Kill()
					_ = other.Wait()
				})
			}
			elsewhere := testnet.New(t)
			insert(elsewhere, 0, packet, out)

			var id int32
			enter := x.netlink.open
			x.netlink.open = func(n *netns) (*os.File, error) {
				if n.inode == inode {
					id = n.id
					end()
				}
				return enter(n)
			}
			lookup := Lookup{Namespace: inode, Process: process, Tuple: packet}
			answers, _ := askFrom(x, time.Now(), lookup, about(elsewhere, packet))
			wantEqual(t, "answers", answers, []Answer{c.want, found})
			counted := x.Stats().Answers
			counted[TooEarly], counted[Found] = 0, 0
			wantEqual(t, "counted of what was not found", counted, c.counted)
			if c.another {
				return
			}
			if x.registry.byInode[inode] != nil {
				t.Error("it is known still")
			}
			for hasID(t, x, id) {
				time.Sleep(time.Millisecond) // the kernel ends namespaces in the background
			}
		})
	}
}

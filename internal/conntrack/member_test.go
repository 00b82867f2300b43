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
	"github.com/netconn/netconn/internal/thread"
)

// beside starts a command in the network namespace of a process.
func beside(t *testing.T, process uint32, command *exec.Cmd) {
	t.Helper()
	err := thread.Run(func() error {
		file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", process))
		if err != nil {
			return err
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return command.Start()
	})
	if err != nil {
		t.Fatal(err)
	}
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
		"another one lives": {true, found, [Results]uint64{}},
		"nobody is left":    {false, gone, [Results]uint64{NoNamespace: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			x := openTables(t, Options{Source: Netlink})
			inode, process, end := guest(t)
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
			enter := x.netlink.enter
			x.netlink.enter = func(n *namespace) (*os.File, error) {
				if n.inode == inode {
					id = n.id
					end()
				}
				return enter(n)
			}
			question := Question{Namespace: inode, Process: process, Tuple: packet}
			answers, _ := askFrom(x, time.Now(), question, about(elsewhere, packet))
			wantEqual(t, "answers", answers, []Answer{c.want, found})
			counted := x.Stats().Answers
			counted[Early], counted[Found] = 0, 0
			wantEqual(t, "counted of what was not found", counted, c.counted)
			if c.another {
				return
			}
			if x.registry.inodes[inode] != nil {
				t.Error("it is known still")
			}
			for hasID(t, x, id) {
				time.Sleep(time.Millisecond) // the kernel ends namespaces in the background
			}
		})
	}
}

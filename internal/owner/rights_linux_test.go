package owner

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMissingRights(t *testing.T) {
	const all = ^uint64(0)
	for name, c := range map[string]struct {
		rights rights
		want   []string // in this order, each with a part of its sentence
	}{
		"all there":        {rights{all, "42", 42}, nil},
		"no NET_ADMIN":     {rights{all &^ (1 << unix.CAP_NET_ADMIN), "42", 42}, []string{"missing CAP_NET_ADMIN: netconn.nat"}},
		"no SYS_PTRACE":    {rights{all &^ (1 << unix.CAP_SYS_PTRACE), "42", 42}, []string{"missing CAP_SYS_PTRACE: containers"}},
		"no hostPID":       {rights{all, "4711", 1}, []string{"hostPID: true"}},
		"another's /proc":  {rights{all, "", 42}, []string{"hostPID: true"}},
		"nothing at all":   {rights{0, "", 1}, []string{"CAP_NET_ADMIN", "CAP_SYS_PTRACE", "hostPID"}},
		"others' rights":   {rights{1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_SYS_PTRACE, "7", 7}, nil},
		"highest right, 1": {rights{1 << 40, "7", 7}, []string{"CAP_NET_ADMIN", "CAP_SYS_PTRACE"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.rights.missing()
			if !slices.EqualFunc(got, c.want, strings.Contains) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// The rights of this process are read from the process table that is given.
func TestReadRights(t *testing.T) {
	own := readRights("/proc")
	if own.self != strconv.Itoa(os.Getpid()) || own.pid != os.Getpid() {
		t.Errorf("in its own process table: %+v", own)
	}
	if os.Geteuid() == 0 && own.capabilities == 0 {
		t.Error("root has no capabilities")
	}
	if none := readRights(t.TempDir()); none.self != "" {
		t.Errorf("in an empty directory: %+v", none)
	}
}

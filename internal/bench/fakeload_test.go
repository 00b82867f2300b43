//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
)

// A script stands for the load: a program that logs what it is asked, and answers what the test wants.
type script struct {
	t   *testing.T
	dir string
}

const scriptText = `#!/bin/sh
cd "${0%/*}" || exit 1
echo "start $$ $2 $3 $4" >> log
[ -f "$2.refuses" ] && { echo '{"Error":"no room"}'; exit 0; }
echo '{}'
while read -r order; do
	echo "$2 $3 $order" >> log
	cat "$2.answer"
done
`

// withScript gives a bench a script as its load. Clients answer with 100 operations.
func withScript(t *testing.T, b *bench) *script {
	t.Helper()
	s := &script{t, t.TempDir()}
	b.load = filepath.Join(s.dir, "load")
	if err := os.WriteFile(b.load, []byte(scriptText), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"churn", "request", "bulk"} {
		s.answer(role, `{"Operations": 100, "P99": 2000}`)
	}
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a testbed needs root"))
	}
	return s
}

// answer sets what the processes of a role answer to an order.
func (s *script) answer(role, text string) { s.write(role+".answer", text+"\n") }

// refuse has the processes of a role not start.
func (s *script) refuse(role string) { s.write(role+".refuses", "") }

func (s *script) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	err := os.WriteFile(path+".new", []byte(text), 0o600)
	if err := errors.Join(err, os.Rename(path+".new", path)); err != nil { // a process may still read the old one
		s.t.Fatal(err)
	}
}

// lines returns what was logged: the starts, without their process, or the orders.
func (s *script) lines(starts bool) (all []string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		rest, isStart := strings.CutPrefix(strings.TrimSpace(line), "start ")
		if isStart {
			_, rest, _ = strings.Cut(rest, " ")
		}
		if isStart == starts {
			all = append(all, rest)
		}
	}
	return all
}

func (s *script) starts() []string { return s.lines(true) }
func (s *script) orders() []string { return s.lines(false) }

// checkEnded holds that no process of the script is left.
func (s *script) checkEnded() {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "start" {
			continue
		}
		pid, err := strconv.Atoi(fields[1])
		if err != nil {
			s.t.Fatal(err)
		}
		ended := func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
		if err := harness.Until(5*time.Second, "the end of a process", ended); err != nil {
			s.t.Errorf("%s is left", strings.TrimSpace(line))
		}
	}
}

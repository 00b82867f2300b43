//go:build linux

package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// unprivileged is a user without capabilities.
func unprivileged() *syscall.Credential { return &syscall.Credential{Uid: 65534, Gid: 65534} }

// What cannot start says in its last line, which is one sentence, what is missing or wrong.
func TestRefusesToStart(t *testing.T) {
	for name, test := range map[string]struct {
		receiver []string
		user     *syscall.Credential
		want     []string
	}{
		"no rights": {
			user: unprivileged(),
			want: []string{"Error: ", `"netconn" receiver`, "missing CAP_BPF, CAP_PERFMON: run as root, or grant these"},
		},
		"no rights, propagate": {
			receiver: []string{"error_mode: propagate"}, user: unprivileged(), want: []string{"missing CAP_BPF, CAP_PERFMON"},
		},
		"unknown key": {
			receiver: []string{"colection_interval: 1s"}, want: []string{"colection_interval: there is no such key", "collection_interval"},
		},
		"impossible value": {
			receiver: []string{"limit_per_resource: 0"},
			want:     []string{"receivers::netconn", "limit_per_resource: must be at least 1, not 0"},
		},
		"no host there": {
			receiver: []string{"root_path: /nowhere"}, want: []string{`"netconn" receiver`, "/nowhere/proc/1/stat"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := runAs(t, setup{Receiver: test.receiver}, test.user)
			if status := c.exit(); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			last := lastLine(c.Log())
			for _, want := range test.want {
				if !strings.Contains(last, want) {
					t.Errorf("the last line has no %q: %s", want, last)
				}
			}
			if strings.Contains(c.Log(), "panic") {
				t.Error("the collector panics")
			}
		})
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// With error_mode ignore the collector does all the rest of its work, and says what it does not do.
func TestStartsWithoutRights(t *testing.T) {
	health := freeAddress(t)
	c := runAs(t, setup{Receiver: []string{"error_mode: ignore", "collection_interval: 100ms"}, Health: health}, unprivileged())
	until(t, "health", func() bool { return healthy(health) })
	for _, want := range []string{"No connections are read.", "missing CAP_BPF, CAP_PERFMON", "Everything is ready."} {
		until(t, want, func() bool { return strings.Contains(c.Log(), want) })
	}
	until(t, "collections, of nothing", func() bool { return strings.Count(c.Log(), `"resource metrics": 0`) > 10 })
	if n := strings.Count(c.Log(), "No connections are read."); n != 1 {
		t.Errorf("it says so %d times, want once", n)
	}
	if !healthy(health) {
		t.Error("the collector is not there any more")
	}
	c.Signal(syscall.SIGTERM)
	if status := c.exit(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func healthy(address string) bool {
	answer, err := http.Get("http://" + address)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

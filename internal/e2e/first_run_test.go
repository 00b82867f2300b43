//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

// `make run` says in one sentence why it does not run on a machine, and how to change that.
func TestMakeRunRefuses(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		testnet.Require(t, err)
	}
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("root can do it without rights, too"))
	}
	for name, tt := range map[string]struct {
		path []string // scripts named go, which come first in the path
		user *syscall.Credential
		want string
	}{
		"not root": {
			user: unprivileged(),
			want: `make run needs root (only root may read the sockets of all processes): sudo env PATH="$PATH" make run`,
		},
		"no Go":      {want: "netconn is built with Go 1.26 or newer (https://go.dev/dl/); there is none in the path"},
		"old Go":     {path: []string{oldGo("go1.19.8")}, want: "netconn is built with Go 1.26 or newer (https://go.dev/dl/); GO is 1.19.8"},
		"Go of 2025": {path: []string{localGo("go1.24.4")}, want: "netconn is built with Go 1.26 or newer (https://go.dev/dl/); GO is 1.24.4"},
		"another go": {path: []string{"#!/bin/sh\nexit 1\n"}, want: "netconn is built with Go 1.26 or newer (https://go.dev/dl/); GO is no Go"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for _, text := range tt.path {
				if err := os.WriteFile(filepath.Join(folder, "go"), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.Command("make", "--no-print-directory", "-C", root, "run")
			command.Env = []string{"PATH=" + folder + ":/usr/sbin:/usr/bin:/sbin:/bin"}
			command.SysProcAttr = &syscall.SysProcAttr{Credential: tt.user}
			var said bytes.Buffer
			command.Stdout, command.Stderr = &said, &said
			if err := command.Run(); err == nil {
				t.Error("it runs")
			}
			want := strings.ReplaceAll(tt.want, "GO", filepath.Join(folder, "go"))
			if lines := sentences(said.String()); len(lines) != 1 || lines[0] != want {
				t.Errorf("said %q, want %q", lines, want)
			}
		})
	}
}

// sentences returns the lines of a text that make has not added.
func sentences(text string) (all []string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "make") || strings.HasPrefix(line, "make run needs") {
			all = append(all, strings.TrimSuffix(line, "\n"))
		}
	}
	return all
}

// oldGo is a Go that fetches no other version, as those before 1.21.
func oldGo(version string) string {
	return fmt.Sprintf("#!/bin/sh\ncase $1 in env) echo %s;; *) exit 1;; esac\n", version)
}

// localGo is a newer Go that may not fetch another version: it refuses to work on this module.
func localGo(version string) string {
	return fmt.Sprintf("#!/bin/sh\n[ \"$1\" = version ] && [ \"$GOTOOLCHAIN\" = local ] && echo go version %s linux/amd64 && exit\nexit 1\n", version)
}

// The last line of the collector, which `make run` shows, names what the machine lacks.
func TestRefusesMachine(t *testing.T) {
	for name, tt := range map[string]struct {
		by   []string
		want string
	}{
		"without BTF": {
			[]string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"`},
			"the kernel has no type information (/sys/kernel/btf/vmlinux): use one built with CONFIG_DEBUG_INFO_BTF=y",
		},
		"root of a container": {[]string{"setpriv", "--bounding-set=-all"}, "missing CAP_BPF, CAP_PERFMON: run as root, or grant these capabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.by[0]); err != nil {
				testnet.Require(t, err)
			}
			s := setup{}
			c := launchBy(t, exec.Command(tt.by[0], append(tt.by[1:], "/proc/self/fd/3")...), nil,
				[]string{"NETCONN_TEST_CONFIGURATION=" + s.text(t)}, "env:NETCONN_TEST_CONFIGURATION")
			if status := c.exit(); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			if last := lastLine(c.Log()); !strings.Contains(last, tt.want) {
				t.Errorf("the last line is %q, want %q", last, tt.want)
			}
		})
	}
}

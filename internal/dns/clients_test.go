//go:build linux

package dns

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// lookUp has Go's resolver look up the name of the environment.
func lookUp() {
	_, err := (&net.Resolver{PreferGo: true}).LookupHost(context.Background(), os.Getenv("NETCONN_TEST_NAME"))
	fmt.Println(err)
}

// getaddrinfo is a program that asks a C library for the addresses of its argument, as every program does.
const getaddrinfo = `
#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;

	(void)argc;
	getaddrinfo(argv[1], NULL, &hints, &all);
	return 0;
}
`

// compileMusl returns a static program with musl, which asks for both families with one socket.
func compileMusl(t *testing.T) string {
	t.Helper()
	needs(t, "musl-gcc")
	dir := t.TempDir()
	source, program := filepath.Join(dir, "look.c"), filepath.Join(dir, "musl-look")
	if err := os.WriteFile(source, []byte(getaddrinfo), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("musl-gcc", "-static", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// Each resolver library asks in its own way: one after the other or both families at once, from one socket or two,
// and through the search list in another order. What each asked is what the server's own log has, of the program that
// asked.
func TestResolverLibraries(t *testing.T) {
	needs(t, "unshare", "mount")
	for name, client := range map[string]func(t *testing.T) (program string, environment []string){
		"Go": func(*testing.T) (string, []string) { return os.Args[0], []string{"NETCONN_TEST_ROLE=look up"} },
		"musl": func(t *testing.T) (string, []string) {
			t.Helper()
			return compileMusl(t), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			program, environment := client(t)
			n := network(t)
			n.Command("ip", "address", "add", "2001:db8::53/64", "dev", "lo")
			log := startUnbound(t, n)
			w := observe(t, Options{Mode: All, Timeout: 1500 * time.Millisecond})
			for _, name := range []string{"ok.example.com.", "ok", "nx.example.com.", "big.example.com.", "a.refused.test.", "a.silent.test."} {
				runWith(t, n, "nameserver 10.99.53.1\nsearch nx.example.com example.com\noptions ndots:2 timeout:1 attempts:1\n",
					append(environment, "NETCONN_TEST_NAME="+name), program, name)
			}
			time.Sleep(2 * time.Second)
			w.drain()
			want := replies(t, log)
			for name, role := range map[string]conn.Role{"the server": conn.RoleServer, "the client": conn.RoleClient} {
				got := w.counts(func(l conn.Lookup) string {
					if l.Role != role || !l.Answered {
						return ""
					}
					if role == conn.RoleClient && l.Process.Executable != filepath.Base(program) {
						t.Errorf("%s was asked by %q", l.Question, l.Process.Executable)
					}
					return l.Question + " " + outcome(l)
				})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-the log +got):\n%s", name, diff)
				}
			}
			for _, both := range []string{"ok.nx.example.com NXDOMAIN", "nx.example.com NXDOMAIN", "a.refused.test REFUSED"} {
				if want[both] < 2 {
					t.Errorf("the server logs %q %d times, want both families", both, want[both])
				}
			}
			// musl asks again by TCP since 1.2.4 only.
			if want["ok.example.com NOERROR"] != 4 || want["big.example.com NOERROR"] < 2 {
				t.Errorf("the server logs %v", want)
			}
			wantUnanswered(t, w)
		})
	}
}

// wantUnanswered wants the two queries that have no response, which the server does not log.
func wantUnanswered(t *testing.T, w *observer) {
	t.Helper()
	unanswered := 0
	for _, l := range w.lookups {
		if l.Role == conn.RoleClient {
			unanswered += int(l.Timeouts)
		}
	}
	if unanswered < 2 {
		t.Errorf("%d queries without a response, want one of each family at least", unanswered)
	}
}

// runWith runs a program that has this text as its resolv.conf.
func runWith(t *testing.T, n *testnet.Namespace, resolv string, environment []string, arguments ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte(resolv), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("unshare", append([]string{
		"--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, path,
	}, arguments...)...)
	c.Env = append(os.Environ(), environment...)
	var out []byte
	var err error
	n.Do(func() { out, err = c.CombinedOutput() })
	if err != nil {
		t.Fatalf("%s: %v: %s", arguments, err, out)
	}
}

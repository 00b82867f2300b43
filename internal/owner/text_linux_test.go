package owner

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/netconn/netconn/internal/conn"
)

func TestCutText(t *testing.T) {
	for cut, want := range map[string]string{
		"":                       "",
		"nginx":                  "nginx",
		"caf\u00e9":              "caf\u00e9",
		"caf\xc3":                "caf",
		"\u20ac\xe2":             "\u20ac",
		"\u20ac\xe2\x82":         "\u20ac",
		"\U0001F600\xf0\x9f\x98": "\U0001F600",
		"\xf0\x9f\x98":           "",
		"\xc3":                   "",
		"a\x82":                  "a\uFFFD", // not the beginning of a character
		"a\xff":                  "a\uFFFD",
		"a\xff\xc3":              "a\uFFFD",
		"a\xe9b":                 "a\uFFFDb",
		"\xe9\xe9\xe9b":          "\uFFFDb",
	} {
		if got := cutText(cut); got != want {
			t.Errorf("cutText(%q) = %q, want %q", cut, got, want)
		}
	}
}

// A name that was cut anywhere gives the characters that are whole.
func TestCutTextAtEveryByte(t *testing.T) {
	name := "a\u00e9\u20ac\U0001F600z"
	for n := range len(name) + 1 {
		got := cutText(name[:n])
		if !strings.HasPrefix(name, got) || len(name[:n])-len(got) >= utf8.UTFMax || n == len(name) && got != name {
			t.Errorf("cutText(%q) = %q", name[:n], got)
		}
	}
}

func TestNamesThatAreNotUTF8(t *testing.T) {
	r := resolverOf("/proc")
	r.Learn(conn.Cgroup{ID: 10, Path: "/system.slice/caf\xe9.service"})
	r.Learn(conn.Cgroup{ID: 11, Path: "/lxc.payload.caf\xe9/init.scope"})
	want(t, r, conn.Process{Cgroup: 10, Executable: "caf\xe9"}, conn.Owner{Unit: "caf\uFFFD.service", Executable: "caf\uFFFD"})
	want(t, r, conn.Process{Cgroup: 11, Executable: "caf\xc3", Truncated: true}, conn.Owner{ContainerID: "caf\uFFFD", Executable: "caf", Named: true})
	want(t, r, conn.Process{Executable: "we\"ir\n{d}\\ \U0001F600"}, conn.Owner{Executable: "we\"ir\n{d}\\ \U0001F600"})
}

// resolverOf returns a Resolver of a host without cgroup mounts.
func resolverOf(proc string) *Resolver {
	return &Resolver{
		proc: proc, groups: map[groupID]*group{}, containers: map[containerKey]*container{},
		programs: map[programKey]*program{}, limit: maxEntries,
	}
}

// OTLP is protobuf, and its encoder refuses a string that is not UTF-8: one name costs the whole message.
func FuzzOwnerIsEncoded(f *testing.F) {
	f.Add("caf\xe9", "/system.slice/caf\xe9.service", "/usr/bin/caf\xe9 (deleted)", true)
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3", `/machine.slice/systemd-nspawn@a\xff.service/payload`, "/a", false)
	for _, table := range tables {
		for _, tt := range table {
			f.Add("web", tt.path, "/usr/bin/web", false)
		}
	}
	f.Fuzz(func(t *testing.T, executable, path, link string, truncated bool) {
		r := resolverOf("/nowhere")
		r.Learn(conn.Cgroup{ID: 10, Path: "/" + path})
		o := r.Resolve(conn.Process{PID: 7, Cgroup: 10, Executable: executable, Truncated: truncated})
		for _, s := range []string{o.ContainerID, o.PodUID, o.Unit, o.Executable, text(parseLink(link))} {
			if _, err := proto.Marshal(wrapperspb.String(s)); err != nil {
				t.Errorf("%q of %+v: %v", s, o, err)
			}
		}
	})
}

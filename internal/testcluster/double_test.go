//go:build linux

package testcluster

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	ktesting "k8s.io/client-go/testing"
)

// recorder records how a test would have ended, and what it logged.
type recorder struct {
	testing.TB
	failed bool
	ended  string
	logged []string
}

func (r *recorder) Helper()      {}
func (r *recorder) Failed() bool { return r.failed }

func (r *recorder) Fatal(arguments ...any) { r.end("failed: " + fmt.Sprint(arguments...)) }
func (r *recorder) Skip(arguments ...any)  { r.end("skipped: " + fmt.Sprint(arguments...)) }

func (r *recorder) Fatalf(format string, arguments ...any) {
	r.Fatal(fmt.Sprintf(format, arguments...))
}

func (r *recorder) Logf(format string, arguments ...any) {
	r.logged = append(r.logged, fmt.Sprintf(format, arguments...))
}

func (r *recorder) end(how string) {
	r.ended = how
	runtime.Goexit()
}

// ending runs a function as a test would, and returns how that ended; empty: it returned.
func ending(t *testing.T, run func(r *recorder)) string {
	t.Helper()
	r, done := &recorder{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		run(r)
	}()
	<-done
	return r.ended
}

// objects returns a cluster without programs, which keeps objects in memory.
func objects(t testing.TB) (*Cluster, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset()
	c := &Cluster{t: t, dir: t.TempDir(), address: loopback, port: 6443, Client: client, Admin: &rest.Config{}}
	c.authority = newAuthority(t, c.dir, loopback)
	c.Admin = c.User("admin", "system:masters")
	return c, client
}

// requests returns the requests of a client as `verb resource[/subresource] namespace/name`.
func requests(client *fake.Clientset) (all []string) {
	for _, a := range client.Actions() {
		resource := strings.TrimSuffix(a.GetResource().Resource+"/"+a.GetSubresource(), "/")
		name := ""
		switch a := a.(type) {
		case ktesting.CreateAction:
			name = nameOf(a.GetObject())
		case ktesting.DeleteAction:
			name = a.GetName()
		}
		all = append(all, fmt.Sprintf("%s %s %s/%s", a.GetVerb(), resource, a.GetNamespace(), name))
	}
	return all
}

func nameOf(object any) string {
	if o, ok := object.(interface {
		GetName() string
		GetObjectKind() schema.ObjectKind
	}); ok {
		return o.GetName()
	}
	return ""
}

// programs makes scripts with these names, and puts them where Program looks. Each prints what it was started with.
func programs(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	const script = "#!/bin/sh\nprintf '%s\\n' \"$0\" \"$@\"\n[ \"$1\" = fail ] && exit 3\n[ \"$1\" = cat ] && cat\nexit 0\n"
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("NETCONN_KUBERNETES", dir)
	return dir
}

// onNode returns a node whose programs are scripts.
func onNode(t *testing.T, names ...string) (*Node, *fake.Clientset) {
	t.Helper()
	programs(t, names...)
	c, client := objects(t)
	c.address = netip.MustParseAddr("172.31.7.10")
	return &Node{Cluster: c}, client
}

package edge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
)

// end makes an end of tags by their names.
func end(t *testing.T, values map[string]string) End {
	t.Helper()
	var e End
	for name, v := range values {
		tag, ok := names.ParseTag(name)
		if !ok {
			t.Fatalf("no tag %q", name)
		}
		e.set(tag, v)
	}
	return e
}

func TestKind(t *testing.T) {
	for name, tt := range map[string]struct {
		end  map[string]string
		want Kind
	}{
		"a pod":                           {map[string]string{"type": "pod"}, Internal},
		"a container":                     {map[string]string{"type": "container"}, Internal},
		"a program":                       {map[string]string{"type": "host", "name": "sshd"}, Internal},
		"a node":                          {map[string]string{"type": "node"}, Internal},
		"a service":                       {map[string]string{"type": "service", "name": "dns"}, Internal},
		"a public address":                {map[string]string{"type": "public"}, External},
		"a public network":                {map[string]string{"type": "public", "name": "office"}, External},
		"a private address":               {map[string]string{"type": "private", "address": "10.0.0.1"}, Unresolved},
		"a private network":               {map[string]string{"type": "private", "name": "office"}, External},
		"a private address with a domain": {map[string]string{"type": "private", "domain": "db.example"}, External},
		"unknown":                         {map[string]string{"type": "unknown"}, Unresolved},
		"nothing":                         {nil, Unresolved},
		"a workload of an unknown type":   {map[string]string{"workload": "web"}, Internal},
		"a container of an unknown type":  {map[string]string{"type": "unknown", "container.id": "c"}, Internal},
		"a name of an unknown type":       {map[string]string{"type": "unknown", "name": "x"}, Unresolved},
		"beyond a limit":                  {map[string]string{"type": "other"}, Other},
	} {
		e := end(t, tt.end)
		if got := e.Kind(); got != tt.want {
			t.Errorf("%s is %v, want %v", name, got, tt.want)
		}
	}
	o := Overflow()
	if o.Kind() != Other {
		t.Errorf("the overflow is %v", o.Kind())
	}
	var kinds []string
	for k := range Kinds {
		kinds = append(kinds, k.String())
	}
	if diff := cmp.Diff([]string{"internal", "external", "unresolved", "other"}, kinds); diff != "" {
		t.Errorf("the API's list of kinds (-want +got):\n%s", diff)
	}
}

// all is an end with a value for each tag.
func all(prefix string) End {
	var e End
	for t := range names.Tags {
		e.set(t, prefix+t.String())
	}
	return e
}

// What a peer gets of the end that reports it depends on how far they are from each other.
func TestAtPlace(t *testing.T) {
	local := all("l-")
	ofHost := map[string]string{
		"cluster": "l-cluster", "node": "l-node", "host": "l-host", "host.id": "l-host.id", "zone": "l-zone", "region": "l-region",
	}
	ofPod := map[string]string{
		"namespace": "l-namespace", "workload": "l-workload", "workload.kind": "l-workload.kind", "pod": "l-pod", "pod.uid": "l-pod.uid",
		"name": "l-name",
	}
	for scope, shared := range map[Scope][]map[string]string{
		ScopeUnknown: nil, ScopeRemote: nil, ScopeNode: {ofHost}, ScopePod: {ofHost, ofPod},
	} {
		want := map[string]string{}
		for _, some := range shared {
			for k, v := range some {
				want[k] = v
			}
		}
		if diff := cmp.Diff(want, tags(End{}.AtPlace(&local, scope))); diff != "" {
			t.Errorf("scope %v (-want +got):\n%s", scope, diff)
		}
	}
	want := tags(local)
	delete(want, "address")
	if diff := cmp.Diff(want, tags(End{}.AtPlace(&local, ScopeContainer))); diff != "" {
		t.Errorf("scope container (-want +got):\n%s", diff)
	}
}

// What a peer has already stays, but for the pod, which is certain.
func TestAtPlaceOfAPeerWithTags(t *testing.T) {
	local, peer := all("l-"), all("p-")
	if diff := cmp.Diff(tags(peer), tags(peer.AtPlace(&local, ScopeNode))); diff != "" {
		t.Errorf("scope node changes (-want +got):\n%s", diff)
	}
	got := peer.AtPlace(&local, ScopePod)
	for tag, want := range map[names.Tag]string{
		names.TagPod: "l-pod", names.TagName: "l-name", names.TagContainer: "p-container", names.TagHost: "p-host",
	} {
		if got.Get(tag) != want {
			t.Errorf("scope pod: %v is %q, want %q", tag, got.Get(tag), want)
		}
	}
	nameless := end(t, map[string]string{"pod.uid": "u", "name": "executable"})
	if got := peer.AtPlace(&nameless, ScopePod); got.Get(names.TagName) != "p-name" || got.Get(names.TagPodUID) != "u" {
		t.Errorf("without a workload the name is %q, in the pod %q", got.Get(names.TagName), got.Get(names.TagPodUID))
	}
}

func TestDescribedBy(t *testing.T) {
	peer := end(t, map[string]string{"name": "redis", "type": "pod", "address": "10.0.0.2", "zone": "b"})
	self := end(t, map[string]string{"name": "cache", "workload": "cache", "type": "pod", "address": "10.0.0.1"})
	want := map[string]string{"name": "cache", "workload": "cache", "type": "pod", "address": "10.0.0.2", "zone": "b"}
	if diff := cmp.Diff(want, tags(peer.DescribedBy(&self))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := self.WithoutAddress(); got.Has(names.TagAddress) || !got.Has(names.TagName) || !self.Has(names.TagAddress) {
		t.Errorf("without its address: %v", tags(got))
	}
}

func TestHostKey(t *testing.T) {
	for want, values := range map[string]map[string]string{
		"i": {"host.id": "i", "host": "h", "node": "n"}, "h": {"host": "h", "node": "n"}, "n": {"node": "n"}, "": {"name": "x"},
	} {
		e := end(t, values)
		if got := e.HostKey().String(); got != want {
			t.Errorf("the host of %v is %q, want %q", values, got, want)
		}
	}
}

// identities are those that an end has, and the one by which a peer is looked up.
var identities = map[string]struct {
	end  map[string]string
	want []string
	peer string // as a peer
}{
	"a pod": {
		map[string]string{"type": "pod", "namespace": "n", "workload": "web", "container": "app", "executable": "node"},
		[]string{"n/web/app", "n/web/", "/node/contained at its place"}, "n/web/app",
	},
	"a pod without a container": {
		map[string]string{"type": "pod", "namespace": "n", "workload": "web"}, []string{"n/web/"}, "n/web/",
	},
	"a static pod": {
		map[string]string{"type": "pod", "namespace": "n", "workload": "etcd", "pod": "etcd-n1", "node": "n1", "container": "c"},
		[]string{"n/etcd/c", "n/etcd-n1/c", "n/etcd/", "n/etcd-n1/"}, "n/etcd/c",
	},
	"a pod with the name of a service": {
		map[string]string{"type": "pod", "namespace": "n", "workload": "s", "pod": "p", "service": "s"},
		[]string{"n/s/", "n/p/"}, "n/s/",
	},
	"a pod of a controller that is not known": {
		map[string]string{"type": "pod", "namespace": "n", "workload": "web-77-x2bcd", "pod": "web-77-x2bcd", "service": "web-77-x2bcd"},
		[]string{"n/web-77-x2bcd/", "n/web-77/"}, "n/web-77-x2bcd/",
	},
	"a pod of a controller that is known": {
		map[string]string{"type": "pod", "namespace": "n", "workload": "web", "workload.kind": "daemonset", "pod": "web-x2bcd", "service": "s"},
		[]string{"n/web/"}, "n/web/",
	},
	"a container": {
		map[string]string{"type": "container", "container": "c", "executable": "nginx"},
		[]string{"/nginx/contained at its place"}, "/nginx/contained at its place",
	},
	"a program": {
		map[string]string{"type": "host", "executable": "sshd", "unit": "ssh.service"},
		[]string{"/sshd/host at its place"}, "/sshd/host at its place",
	},
	"a unit": {
		map[string]string{"type": "host", "unit": "ssh.service"},
		[]string{"/ssh.service/host at its place"}, "/ssh.service/host at its place",
	},
	"an address": {map[string]string{"type": "private", "executable": "x"}, []string{"/x/contained at its place"}, "//"},
	"a socket without an owner": {
		map[string]string{"type": "unknown", "host": "h", "node": "n"}, []string{"// unowned"}, "// unowned",
	},
	"an address of a network with a name": {map[string]string{"type": "unknown", "name": "lan"}, []string{"// unowned"}, "//"},
	"a container without a name":          {map[string]string{"type": "container", "container.id": "c"}, nil, "//"},
	"a pod without a name":                {map[string]string{"type": "pod", "pod.uid": "u"}, nil, "//"},
	"nothing":                             {nil, []string{"// unowned"}, "//"},
}

func TestIdentities(t *testing.T) {
	text := func(i Identity) string {
		s := strings.Join([]string{i.namespace.String(), i.name.String(), i.container.String()}, "/")
		switch i.by {
		case byProgram:
			s += " at its place"
		case unowned:
			s += " unowned"
		}
		return s
	}
	for name, tt := range identities {
		e := end(t, tt.end)
		var got []string
		for _, i := range e.Identities() {
			got = append(got, text(i))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := text(e.PeerIdentity()); got != tt.peer {
			t.Errorf("%s as a peer is %q, want %q", name, got, tt.peer)
		}
	}
}

func TestTagsOfALink(t *testing.T) {
	l := Link{Client, ScopePod, false, 9080, 80, Text("tcp"), Text("dnat"), Text("reviews"), Text("10.96.0.1"), Text("web.shop")}
	want := map[string]string{
		"role": "client", "scope": "pod", "port": "9080", "original.port": "80", "transport": "tcp", "nat": "dnat", "original": "reviews",
		"original.address": "10.96.0.1", "source": "web.shop",
	}
	got := map[string]string{}
	for tag := range names.EdgeTags {
		got[tag.String()] = l.Get(tag)
		if l.Value(tag) != Text(l.Get(tag)) {
			t.Errorf("%v has the value %v and the text %q", tag, l.Value(tag), l.Get(tag))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var none Link
	for tag := range names.EdgeTags {
		if known := tag == names.EdgeRole || tag == names.EdgeScope; (none.Get(tag) != "") != known {
			t.Errorf("an empty link has %v %q", tag, none.Get(tag))
		}
	}
}

// Texts of roles and scopes are read back as what they are.
func TestRolesAndScopes(t *testing.T) {
	for i, text := range names.Roles() {
		if got := ReadLink(raw{"netconn.role": text}.get).Role; got != Role(i) || got.String() != text {
			t.Errorf("role %s is read as %v", text, got)
		}
	}
	local, inPod := []string{}, []string{}
	for i, text := range names.Scopes() {
		s := ReadLink(raw{"netconn.peer.scope": text}.get).Scope
		if s != Scope(i) || s.String() != text {
			t.Errorf("scope %s is read as %v", text, s)
		}
		if s.Local() {
			local = append(local, text)
		}
		if s.InPod() {
			inPod = append(inPod, text)
		}
	}
	if diff := cmp.Diff([][]string{{"container", "pod", "node"}, {"container", "pod"}}, [][]string{local, inPod}); diff != "" {
		t.Errorf("scopes of one host and of one pod (-want +got):\n%s", diff)
	}
}

// A peer in a container runs the program that its container is named after; only without a container that of its name.
func TestProgramOfAPeer(t *testing.T) {
	for _, kind := range []string{"container", "pod"} {
		point := raw{"netconn.peer.type": kind, "netconn.peer.name": "shop", "netconn.peer.container.name": "nginx"}
		if e := ReadPeer(point.get); e.Get(names.TagExecutable) != "nginx" {
			t.Errorf("a %s with a container's name runs %q", kind, e.Get(names.TagExecutable))
		}
		delete(point, "netconn.peer.container.name")
		if e := ReadPeer(point.get); e.Get(names.TagExecutable) != "shop" {
			t.Errorf("a %s without a container's name runs %q", kind, e.Get(names.TagExecutable))
		}
	}
}

package edge

import (
	"hash/maphash"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
)

// raw are attributes as texts.
type raw map[string]string

func (r raw) get(key string) (string, bool) {
	v, ok := r[key]
	return v, ok
}

// tags returns those that an end has.
func tags(e End) map[string]string {
	all := map[string]string{}
	for t := range names.Tags {
		if e.Has(t) {
			all[t.String()] = e.Get(t)
		}
	}
	return all
}

// selves are ends by the attributes of their own reports.
var selves = map[string]struct {
	in   raw
	want map[string]string
}{
	"a program": {
		raw{"host.name": "h", "process.executable.name": "sshd", "netconn.systemd.unit": "ssh.service"},
		map[string]string{"name": "sshd", "executable": "sshd", "unit": "ssh.service", "host": "h", "type": "host"},
	},
	"a unit": {
		raw{"netconn.systemd.unit": "ssh.service"},
		map[string]string{"name": "ssh.service", "unit": "ssh.service", "type": "host"},
	},
	"a container": {
		raw{"container.id": "c", "process.executable.name": "nginx"},
		map[string]string{"name": "nginx", "executable": "nginx", "container": "nginx", "container.id": "c", "type": "container"},
	},
	"a pod": {
		raw{
			"container.id": "c", "k8s.pod.uid": "u", "k8s.pod.name": "web-1", "k8s.namespace.name": "shop", "k8s.deployment.name": "web",
			"k8s.replicaset.name": "web-77", "k8s.container.name": "app", "process.executable.name": "node", "service.name": "web-svc",
			"container.image.name": "shop/web", "container.image.tags": "v2", "cloud.region": "r",
		},
		map[string]string{
			"name": "web", "workload": "web", "workload.kind": "deployment", "pod": "web-1", "pod.uid": "u", "namespace": "shop",
			"container": "app", "container.id": "c", "executable": "node", "service": "web-svc", "image": "shop/web", "image.tag": "v2",
			"region": "r", "type": "pod",
		},
	},
	"a sidecar": {
		raw{"container.id": "c", "k8s.container.name": "linkerd-proxy"},
		map[string]string{"container": "linkerd-proxy", "container.id": "c", "proxy": "sidecar", "type": "container"},
	},
	"a sidecar that is named a gateway": {
		raw{"container.id": "c", "container.name": "istio-proxy", "netconn.proxy": "gateway"},
		map[string]string{"container": "istio-proxy", "container.id": "c", "proxy": "gateway", "type": "container"},
	},
	"a gateway, which has a sidecar's name": {
		raw{
			"container.id": "c", "k8s.container.name": "istio-proxy", "k8s.pod.labels.gateway.networking.k8s.io/gateway-name": "shop",
		},
		map[string]string{"container": "istio-proxy", "container.id": "c", "proxy": "gateway", "type": "container"},
	},
	"Istio's own gateway": {
		raw{"container.id": "c", "k8s.container.name": "istio-proxy", "k8s.pod.label.istio": "ingressgateway"},
		map[string]string{"container": "istio-proxy", "container.id": "c", "proxy": "gateway", "type": "container"},
	},
	"Istio's control plane, which is no gateway": {
		raw{"container.id": "c", "k8s.container.name": "discovery", "k8s.pod.labels.istio": "pilot"},
		map[string]string{"container": "discovery", "container.id": "c", "type": "container"},
	},
	"a program that has a sidecar's name": {
		raw{"process.executable.name": "linkerd-proxy"},
		map[string]string{"name": "linkerd-proxy", "executable": "linkerd-proxy", "type": "host"},
	},
	"a job of a cron job": {
		raw{"k8s.pod.uid": "u", "k8s.job.name": "backup-1", "k8s.cronjob.name": "backup"},
		map[string]string{"name": "backup", "workload": "backup", "workload.kind": "cronjob", "pod.uid": "u", "type": "pod"},
	},
	"a pod that nothing owns": {
		raw{"k8s.pod.name": "debug", "k8s.namespace.name": "x"},
		map[string]string{"name": "debug", "workload": "debug", "pod": "debug", "namespace": "x", "type": "pod"},
	},
	"a static pod": {
		raw{"k8s.pod.name": "etcd-n1", "k8s.namespace.name": "x", "k8s.node.name": "n1", "service.name": "etcd-n1"},
		map[string]string{
			"name": "etcd", "workload": "etcd", "pod": "etcd-n1", "namespace": "x", "node": "n1", "service": "etcd-n1", "type": "pod",
		},
	},
	"a pod that nothing owns, of a service": {
		raw{"k8s.pod.name": "debug-1", "k8s.namespace.name": "x", "k8s.node.name": "n1", "service.name": "debug"},
		map[string]string{
			"name": "debug", "workload": "debug", "pod": "debug-1", "namespace": "x", "node": "n1", "service": "debug", "type": "pod",
		},
	},
	"a pod with nothing but a uid": {
		raw{"k8s.pod.uid": "u", "service.name": "s"},
		map[string]string{"name": "s", "service": "s", "pod.uid": "u", "type": "pod"},
	},
	"a workload without its pod": {
		raw{"k8s.namespace.name": "shop", "k8s.deployment.name": "web"},
		map[string]string{"name": "web", "workload": "web", "workload.kind": "deployment", "namespace": "shop", "type": "pod"},
	},
	"a service":                 {raw{"service.name": "s"}, map[string]string{"name": "s", "service": "s", "type": "host"}},
	"a socket without an owner": {raw{"host.id": "1", "k8s.node.name": "n"}, map[string]string{"host.id": "1", "node": "n", "type": "unknown"}},
	"nothing":                   {nil, map[string]string{"type": "unknown"}},
}

func TestSelf(t *testing.T) {
	for name, c := range selves {
		if diff := cmp.Diff(c.want, tags(ReadLocal(c.in.get))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPeer(t *testing.T) {
	for name, c := range map[string]struct {
		in   raw
		want map[string]string
	}{
		"a program": {
			raw{"netconn.peer.type": "host", "netconn.peer.name": "sshd"},
			map[string]string{"name": "sshd", "executable": "sshd", "type": "host"},
		},
		"a unit": {
			raw{"netconn.peer.type": "host", "netconn.peer.name": "user.slice"},
			map[string]string{"name": "user.slice", "unit": "user.slice", "type": "host"},
		},
		"a container": {
			raw{"netconn.peer.type": "container", "netconn.peer.name": "nginx", "netconn.peer.container.name": "nginx"},
			map[string]string{"name": "nginx", "executable": "nginx", "container": "nginx", "type": "container"},
		},
		"a pod of Kubernetes": {
			raw{
				"netconn.peer.type": "pod", "netconn.peer.name": "web", "netconn.peer.container.name": "app", "netconn.peer.k8s.namespace.name": "shop",
				"netconn.peer.k8s.workload.name": "web", "netconn.peer.k8s.workload.kind": "Deployment", "service.peer.name": "web-svc",
				"netconn.peer.container.image.tag": "v2", "netconn.peer.zone": "a", "netconn.peer.proxy": "sidecar",
			},
			map[string]string{
				"name": "web", "workload": "web", "workload.kind": "deployment", "namespace": "shop", "container": "app", "service": "web-svc",
				"image.tag": "v2", "zone": "a", "proxy": "sidecar", "type": "pod",
			},
		},
		"a pod that nothing owns": {
			raw{
				"netconn.peer.type": "pod", "netconn.peer.name": "etcd", "netconn.peer.container.name": "c",
				"netconn.peer.k8s.namespace.name": "kube-system", "service.peer.name": "etcd-n1",
			},
			map[string]string{
				"name": "etcd", "workload": "etcd", "namespace": "kube-system", "container": "c", "service": "etcd-n1", "type": "pod",
			},
		},
		"a domain":       {raw{"netconn.peer.domain": "s3.example"}, map[string]string{"name": "s3.example", "domain": "s3.example"}},
		"beyond a limit": {raw{"otel.metric.overflow": "true"}, map[string]string{"type": "other"}},
		"nothing":        {nil, map[string]string{}},
	} {
		if diff := cmp.Diff(c.want, tags(ReadPeer(c.in.get))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLink(t *testing.T) {
	l := ReadLink(raw{
		"netconn.role": "server", "netconn.peer.scope": "pod", "server.port": "9080", "network.transport": "udp", "netconn.nat": "redirect",
		"netconn.original_destination.name": "reviews", "netconn.original_destination.port": "80", "netconn.original_source.name": "web.shop",
	}.get)
	want := Link{Server, ScopePod, false, 9080, 80, Text("udp"), Text("redirect"), Text("reviews"), Value{}, Text("web.shop")}
	if l != want {
		t.Errorf("got %+v, want %+v", l, want)
	}
	if l := ReadLink(raw{"server.port": "70000", "netconn.role": "x", "netconn.peer.scope": "y"}.get); l != (Link{Transport: Text("tcp")}) {
		t.Errorf("nonsense is read as %+v", l)
	}
}

// For the client the server is far, and the other way round; who is really there is better than what the socket says.
func TestAddresses(t *testing.T) {
	point := raw{
		"client.address": "10.0.0.1", "server.address": "10.0.0.2", "network.local.address": "127.0.0.1", "network.peer.address": "10.96.0.1",
	}.get
	for role, want := range map[Role][2]string{
		Client: {"10.0.0.1", "10.0.0.2"}, Server: {"10.0.0.2", "10.0.0.1"}, Unknown: {"127.0.0.1", "10.96.0.1"},
	} {
		var local, peer End
		ReadAddresses(point, role, &local, &peer)
		if got := [2]string{local.Get(names.TagAddress), peer.Get(names.TagAddress)}; got != want {
			t.Errorf("%v: %v, want %v", role, got, want)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	for _, s := range []string{strings.Repeat("a", 1000), strings.Repeat("ü", 500), strings.Repeat("\xff", 1000), "a\xffb", strings.Repeat("a", maxValue-1) + "ü"} {
		got := Text(s).String()
		if !utf8.ValidString(got) || len(got) > 3*maxValue || len(got) == 0 {
			t.Errorf("%.20q of %d bytes is %d bytes", s, len(s), len(got))
		}
	}
	if Text("") != (Value{}) || Text("a") != Text(strings.ToLower("A")) || Text("a") == Text("b") {
		t.Error("equal texts are equal values")
	}
}

// The two reports of one edge share a key, for all kinds of ends. One of them is primary, and no other edge has it.
func TestBothReportsShareAKey(t *testing.T) {
	seed := maphash.MakeSeed()
	resource := func(r raw) End { return ReadLocal(r.get) }
	peer := func(r raw) End { return ReadPeer(r.get) }
	web := resource(raw{
		"host.id": "h", "k8s.pod.uid": "u1", "container.id": "c1", "k8s.namespace.name": "n", "k8s.deployment.name": "web", "k8s.container.name": "app",
		"process.executable.name": "node",
	})
	db := resource(raw{"host.id": "h", "process.executable.name": "postgres", "netconn.systemd.unit": "postgresql.service"})
	webByKubernetes := peer(raw{
		"netconn.peer.type": "pod", "netconn.peer.k8s.namespace.name": "n", "netconn.peer.k8s.workload.name": "web", "netconn.peer.container.name": "app",
	})
	webWithoutContainer := peer(raw{
		"netconn.peer.type": "pod", "netconn.peer.k8s.namespace.name": "n", "netconn.peer.k8s.workload.name": "web",
	})
	webByProgram := peer(raw{"netconn.peer.type": "pod", "netconn.peer.name": "node", "netconn.peer.container.name": "node"})
	dbByProgram := peer(raw{"netconn.peer.type": "host", "netconn.peer.name": "postgres"})
	for name, webSeen := range map[string]End{"kubernetes": webByKubernetes, "workload": webWithoutContainer, "program": webByProgram} {
		client := Link{Role: Client, Scope: ScopeNode, Port: 5432}
		server := Link{Role: Server, Scope: ScopeNode, Port: 5432}
		shared := 0
		for _, a := range client.Keys(&web, &dbByProgram, seed) {
			for _, b := range server.Keys(&db, &webSeen, seed) {
				if a.Hash == b.Hash {
					shared++
					if !a.Primary || b.Primary {
						t.Errorf("%s: the client's report is not the one that counts", name)
					}
				}
			}
		}
		if shared != 1 {
			t.Errorf("%s: %d shared keys, want 1", name, shared)
		}
		other := server
		other.Port = 5433
		for _, a := range client.Keys(&web, &dbByProgram, seed) {
			for _, b := range other.Keys(&db, &webSeen, seed) {
				if a.Hash == b.Hash {
					t.Errorf("%s: another port has the same key", name)
				}
			}
		}
	}
	remote := Link{Role: Client, Scope: ScopeRemote, Port: 5432}
	if keys := remote.Keys(&web, &dbByProgram, seed); len(keys) != 0 {
		t.Errorf("a program of another machine has keys: %v", keys)
	}
	unknown := Link{Role: Client, Scope: ScopeUnknown}
	if keys := unknown.Keys(&web, &webByKubernetes, seed); len(keys) != 0 {
		t.Errorf("an edge of unknown scope has keys: %v", keys)
	}
}

// Each tag is read from its attribute, of an end that describes itself and of a peer.
func TestEveryTagIsRead(t *testing.T) {
	local, peer := raw{}, raw{}
	for tag := range names.Tags {
		local[tag.Attribute()] = "L-" + tag.String()
		if key := tag.PeerAttribute(); key != "" {
			peer[key] = "P-" + tag.String()
		}
	}
	gotLocal, gotPeer := ReadLocal(local.get), ReadPeer(peer.get)
	for tag := range names.Tags {
		want := map[names.Tag]string{
			names.TagName: "L-workload", names.TagType: "pod", names.TagWorkloadKind: "l-workload.kind",
		}[tag]
		if want == "" {
			want = "L-" + tag.String()
		}
		if got := gotLocal.Get(tag); got != want {
			t.Errorf("%v of an end that describes itself is %q, want %q", tag, got, want)
		}
		want = ""
		if tag.PeerAttribute() != "" {
			want = "P-" + tag.String()
		}
		if tag == names.TagWorkloadKind {
			want = "p-workload.kind"
		}
		if got := gotPeer.Get(tag); got != want {
			t.Errorf("%v of a peer is %q, want %q", tag, got, want)
		}
	}
}

// The owner that a person made counts, whatever else is there.
func TestTheWorkloadIsWhatAPersonMade(t *testing.T) {
	resource := raw{}
	for i := len(workloads) - 1; i >= 0; i-- {
		resource["k8s."+workloads[i]+".name"] = "the-" + workloads[i]
		e := ReadLocal(resource.get)
		if e.Get(names.TagWorkload) != "the-"+workloads[i] || e.Get(names.TagWorkloadKind) != workloads[i] {
			t.Errorf("with a %s the workload is %s %s", workloads[i], e.Get(names.TagWorkloadKind), e.Get(names.TagWorkload))
		}
	}
	resource["k8s.workload.name"] = "named"
	if e := ReadLocal(resource.get); e.Get(names.TagWorkload) != "named" || e.Has(names.TagWorkloadKind) {
		t.Errorf("the workload is %q", e.Get(names.TagWorkload))
	}
}

func TestWhatThingsAreCalled(t *testing.T) {
	for want, resource := range map[string]raw{
		"workload": {"k8s.deployment.name": "workload", "service.name": "s", "process.executable.name": "e", "netconn.systemd.unit": "u"},
		"service":  {"service.name": "service", "process.executable.name": "e", "netconn.systemd.unit": "u"},
		"program":  {"process.executable.name": "program", "netconn.systemd.unit": "u"},
		"unit":     {"netconn.systemd.unit": "unit"},
		"":         {"host.name": "h"},
	} {
		e := ReadLocal(resource.get)
		if got := e.Get(names.TagName); got != want {
			t.Errorf("the name is %q, want %q", got, want)
		}
	}
	for name, unit := range map[string]bool{
		"ssh.service": true, "user.slice": true, "session-1.scope": true, "docker.socket": true, "sshd": false, "service": false,
	} {
		e := ReadPeer(raw{"netconn.peer.type": "host", "netconn.peer.name": name}.get)
		if e.Has(names.TagUnit) != unit || e.Has(names.TagExecutable) == unit {
			t.Errorf("%s is the unit %q and the executable %q", name, e.Get(names.TagUnit), e.Get(names.TagExecutable))
		}
	}
	if e := ReadPeer(raw{"netconn.peer.type": "pod", "netconn.peer.k8s.workload.name": "web"}.get); e.Get(names.TagName) != "web" ||
		e.Has(names.TagExecutable) {
		t.Errorf("a workload without a name is called %q, and is the executable %q", e.Get(names.TagName), e.Get(names.TagExecutable))
	}
	if e := ReadPeer(raw{"netconn.peer.type": "pod", "netconn.peer.name": "node"}.get); e.Get(names.TagExecutable) != "node" {
		t.Errorf("the executable of a pod is %q", e.Get(names.TagExecutable))
	}
}

// Addresses that are empty change nothing.
func TestAddressesThatAreNotThere(t *testing.T) {
	local := end(t, map[string]string{"address": "1.1.1.1"})
	peer := end(t, map[string]string{"address": "2.2.2.2"})
	ReadAddresses(raw{}.get, Client, &local, &peer)
	if local.Get(names.TagAddress) != "1.1.1.1" || peer.Get(names.TagAddress) != "2.2.2.2" {
		t.Errorf("addresses %q and %q", local.Get(names.TagAddress), peer.Get(names.TagAddress))
	}
}

// A text is cut between two runes, and never loses more than one.
func TestWhereTextIsCut(t *testing.T) {
	for in, want := range map[string]int{
		strings.Repeat("a", maxValue-1):          maxValue - 1,
		strings.Repeat("a", maxValue):            maxValue,
		strings.Repeat("a", maxValue+1):          maxValue,
		strings.Repeat("a", maxValue-1) + "ü":    maxValue - 1,
		strings.Repeat("a", maxValue-2) + "ü":    maxValue,
		strings.Repeat("a", maxValue-2) + "üx":   maxValue,
		strings.Repeat("a", maxValue-2) + "€":    maxValue - 2,
		strings.Repeat("a", maxValue-3) + "€":    maxValue,
		strings.Repeat("a", maxValue-1) + "😀xyz": maxValue - 1,
		strings.Repeat("a", maxValue-3) + "😀":    maxValue - 3,
	} {
		if got := Text(in).String(); len(got) != want || !strings.HasPrefix(in, got) {
			t.Errorf("%d bytes that end in %q are cut to %d, want %d", len(in), in[len(in)-4:], len(got), want)
		}
	}
	if got := Text("a\xffb").String(); got != "a\uFFFDb" {
		t.Errorf("what is not UTF-8 is %q", got)
	}
}

// A value has its text in lower case, too, and two values that differ in case are two.
func TestFolded(t *testing.T) {
	for text, want := range map[string]string{"": "", "web": "web", "Web-1": "web-1", "GRÖSSE": "grÖsse", "[@`{": "[@`{"} {
		v := Text(text)
		if v.Folded() != want || v.String() != text || Fold(text) != want {
			t.Errorf("%q is folded to %q and %q, want %q", v, v.Folded(), Fold(text), want)
		}
	}
	if Text("Web") == Text("web") {
		t.Error("two texts are one value")
	}
	long := Text(strings.Repeat("A", 1000))
	if got := testing.AllocsPerRun(100, func() { _ = long.Folded() }); got != 0 {
		t.Errorf("a value is folded again each time: %v allocations", got)
	}
}

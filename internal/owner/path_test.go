package owner

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const (
	idA  = "3f4e1ab0c5d6978812fedcba9876543210aabbccddeeff001122334455667788"
	idB  = "b0d1f2a3948576d0c1b2a39485760f1e2d3c4b5a69788796a5b4c3d2e1f00112"
	uidA = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
	uidB = "ffeeddcc-bbaa-4998-8877-665544332211"
	hash = "9f86d081884c7d659a2feaa0c55ad015"
)

// dashed is a pod's UID as the systemd driver writes it.
func dashed(uid string) string { return strings.ReplaceAll(uid, "-", "_") }

// shape is a path and what is certain in it; the test fills in the path of the container.
type shape struct {
	path string
	want place
}

var kubernetes = map[string]shape{
	"containerd, systemd driver, burstable": {
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{container: idA, pod: uidA, kubelet: true},
	},
	"containerd, systemd driver, best effort": {
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{container: idA, pod: uidA, kubelet: true},
	},
	"containerd, systemd driver, guaranteed": {
		"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{container: idA, pod: uidA, kubelet: true},
	},
	"cri-o": {
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + dashed(uidA) + ".slice/crio-" + idA + ".scope",
		place{container: idA, pod: uidA, kubelet: true},
	},
	"cri-o, crun's inner cgroup": {
		"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/crio-" + idA + ".scope/container",
		place{container: idA, pod: uidA, kubelet: true},
	},
	"cri-o's monitor in a pod's slice": {
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + dashed(uidA) + ".slice/crio-conmon-" + idA + ".scope",
		place{unit: "kubepods.slice", kubelet: true},
	},
	"cri-o, cgroupfs driver":              {"/kubepods/besteffort/pod" + uidA + "/crio-" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"cri-o's monitor, cgroupfs driver":    {"/kubepods/besteffort/pod" + uidA + "/crio-conmon-" + idA, place{kubelet: true}},
	"docker, systemd driver":              {"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/docker-" + idA + ".scope", place{container: idA, pod: uidA, kubelet: true}},
	"cgroupfs driver, burstable":          {"/kubepods/burstable/pod" + uidA + "/" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"cgroupfs driver, guaranteed":         {"/kubepods/pod" + uidA + "/" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"cgroupfs driver, init in it":         {"/kubepods/pod" + uidA + "/" + idA + "/init.scope", place{container: idA, pod: uidA, kubelet: true}},
	"a cgroup root of kubelet's":          {"/tenant/kubepods/burstable/pod" + uidA + "/" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"static pod, cgroupfs driver":         {"/kubepods/burstable/pod" + hash + "/" + idA, place{container: idA, kubelet: true}},
	"static pod, systemd driver":          {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + hash + ".slice/cri-containerd-" + idA + ".scope", place{container: idA, kubelet: true}},
	"a pod without a container":           {"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice", place{pod: uidA, kubelet: true}},
	"a static pod without a container":    {"/kubepods.slice/kubepods-pod" + hash + ".slice", place{unit: "kubepods.slice", kubelet: true}},
	"only kubelet's slice":                {"/kubepods.slice/kubepods-burstable.slice", place{unit: "kubepods.slice"}},
	"only kubelet's directory":            {"/kubepods/burstable", place{}},
	"a systemd path with cgroupfs driver": {"/system.slice/containerd.service/kubepods-burstable-pod" + dashed(uidA) + ".slice:cri-containerd:" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"the same at the root":                {"/kubepods-pod" + dashed(uidA) + ".slice:cri-containerd:" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"k3s below its service":               {"/system.slice/k3s.service/kubepods/pod" + uidA + "/" + idA, place{container: idA, pod: uidA, kubelet: true}},
	"a uid with capitals":                 {"/kubepods/pod" + strings.ToUpper(uidA) + "/" + idA, place{container: idA}},
	"a uid with a digit too many":         {"/kubepods/pod" + uidA + "0/" + idA, place{container: idA}},
	"a slice that only looks like a pod":  {"/system.slice/system-pod" + dashed(uidA) + ".slice/x.service", place{unit: "x.service"}},
}

var nested = map[string]shape{
	"kind, systemd driver": {
		"/docker/" + idA + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/" +
			"kubelet-kubepods-burstable-pod" + dashed(uidB) + ".slice/cri-containerd-" + idB + ".scope",
		place{container: idB, pod: uidB, nested: true},
	},
	"kind, node in a scope": {
		"/system.slice/docker-" + idA + ".scope/kubelet/kubepods/besteffort/pod" + uidB + "/" + idB,
		place{container: idB, pod: uidB, nested: true},
	},
	"kind, guaranteed": {
		"/docker/" + idA + "/kubelet/kubepods/pod" + uidB + "/" + idB,
		place{container: idB, pod: uidB, nested: true},
	},
	"minikube": {
		"/docker/" + idA + "/kubepods.slice/kubepods-pod" + dashed(uidB) + ".slice/docker-" + idB + ".scope/init",
		place{container: idB, pod: uidB, nested: true},
	},
	"kind, static pod": {
		"/docker/" + idA + "/kubelet/kubepods/burstable/pod" + hash + "/" + idB,
		place{container: idB, nested: true},
	},
	"kind, kubelet itself":            {"/docker/" + idA + "/system.slice/kubelet.service", place{container: idA}},
	"kind, a pod without a container": {"/docker/" + idA + "/kubelet/kubepods/pod" + uidB, place{container: idA}},
	"kind, a monitor": {
		"/docker/" + idA + "/kubelet/kubepods/pod" + uidB + "/crio-conmon-" + idB, place{container: idA},
	},
	"docker in docker":         {"/docker/" + idA + "/docker/" + idB, place{container: idA}},
	"docker's systemd":         {"/system.slice/docker-" + idA + ".scope/system.slice/nginx.service", place{container: idA}},
	"docker's systemd itself":  {"/docker/" + idA + "/init.scope", place{container: idA}},
	"docker in a pod":          {"/kubepods/pod" + uidA + "/" + idA + "/docker/" + idB, place{container: idA, pod: uidA, kubelet: true}},
	"docker in LXC":            {"/lxc.payload.web/docker/" + idA, place{container: "web", top: "/lxc.payload.web"}},
	"Kubernetes in LXC":        {"/lxc.payload.web/kubepods/pod" + uidA + "/" + idA, place{container: "web", top: "/lxc.payload.web"}},
	"podman in systemd-nspawn": {"/machine.slice/systemd-nspawn@web.service/payload/machine.slice/libpod-" + idA + ".scope", place{container: "web", top: "/machine.slice/systemd-nspawn@web.service/payload"}},
}

// What a workload can name by itself is not believed.
var imitations = map[string]shape{
	"a user, a pod's slice in a session": {
		"/user.slice/user-1000.slice/user@1000.service/app.slice/kubepods-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{unit: "user.slice"},
	},
	"a user, a kubelet's whole hierarchy": {
		"/user.slice/user-1000.slice/user@1000.service/kubepods/burstable/pod" + uidA + "/" + idA, place{unit: "user.slice"},
	},
	"a user, a container of Kubernetes": {
		"/user.slice/user-1000.slice/session-3.scope/crio-" + idA + ".scope", place{unit: "user.slice"},
	},
	"a user, another user's slice": {
		"/user.slice/user-1000.slice/user@1000.service/system.slice/nginx.service", place{unit: "user.slice"},
	},
	"a service, a pod": {
		"/system.slice/web.service/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{unit: "web.service"},
	},
	"a service, a pod without a container": {"/system.slice/web.service/kubepods/pod" + uidA, place{unit: "web.service"}},
	"a service, named like an engine's": {
		"/system.slice/containerd.service.d.service/kubepods/pod" + uidA + "/" + idA, place{unit: "containerd.service.d.service"},
	},
	"a service, an engine's in its own cgroup": {
		"/system.slice/web.service/containerd.service/kubepods/pod" + uidA + "/" + idA, place{unit: "web.service"},
	},
	"a scope, a pod": {"/system.slice/run-u7.scope/kubepods/pod" + uidA + "/" + idA, place{unit: "system.slice"}},
	"a session without systemd": {
		"/session-3.scope/docker-" + idA + ".scope", place{},
	},
	"a pod's container, another pod": {
		"/kubepods/pod" + uidA + "/" + idA + "/kubelet/kubepods/pod" + uidB + "/" + idB,
		place{container: idA, pod: uidA, kubelet: true},
	},
	"a pod's container, a static pod": {
		"/kubepods/pod" + uidA + "/" + idA + "/kubelet/kubepods/pod" + hash + "/" + idB,
		place{container: idA, pod: uidA, kubelet: true},
	},
	"a static pod's container, a pod": {
		"/kubepods/pod" + hash + "/" + idA + "/kubepods/pod" + uidB + "/" + idB, place{container: idA, kubelet: true},
	},
	"a container, a pod's slice alone": {
		"/docker/" + idA + "/kubepods-burstable-pod" + dashed(uidB) + ".slice/cri-containerd-" + idB + ".scope",
		place{container: idA},
	},
	"a container, a pod in a class of another slice": {
		"/docker/" + idA + "/kubepods.slice/kubepods-burstable-pod" + dashed(uidB) + ".slice/cri-containerd-" + idB + ".scope",
		place{container: idA},
	},
	"a container, a pod's directory alone": {"/docker/" + idA + "/pod" + uidB + "/" + idB, place{container: idA}},
	"a container, a pod below a service":   {"/docker/" + idA + "/x.service/kubepods/pod" + uidB + "/" + idB, place{container: idA}},
	"a container, LXC":                     {"/docker/" + idA + "/lxc.payload.web/init.scope", place{container: idA}},
	"LXC, another LXC":                     {"/lxc.payload.web/lxc.payload.db/init.scope", place{container: "web", top: "/lxc.payload.web"}},
}

var engines = map[string]shape{
	"docker, systemd driver":        {"/system.slice/docker-" + idA + ".scope", place{container: idA}},
	"docker, cgroupfs driver":       {"/docker/" + idA, place{container: idA}},
	"docker, a parent of one's own": {"/actions_job/" + idA, place{container: idA}},
	"docker, a build":               {"/docker/buildkit/q1x0zq5m2e6c1n0gq8zyn5t2h", place{}},
	"docker, a mount":               {"/system.slice/var-lib-docker-overlay2-" + idA + "-merged.mount", place{unit: "system.slice"}},
	"docker, without root": {
		"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" + idA + ".scope", place{container: idA, unit: "user.slice"},
	},
	"podman":                          {"/machine.slice/libpod-" + idA + ".scope/container", place{container: idA}},
	"podman's monitor":                {"/machine.slice/libpod-conmon-" + idA + ".scope", place{unit: "machine.slice"}},
	"podman, in a pod":                {"/machine.slice/machine-libpod_pod_" + idB + ".slice/libpod-" + idA + ".scope", place{container: idA}},
	"podman, a pod without container": {"/machine.slice/machine-libpod_pod_" + idB + ".slice", place{unit: "machine.slice"}},
	"podman, without root": {
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + idA + ".scope", place{container: idA, unit: "user.slice"},
	},
	"podman, kind in it, without root": {
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + idA + ".scope/kubelet/kubepods/pod" + uidB + "/" + idB,
		place{container: idA, unit: "user.slice"},
	},
	"podman, cgroupfs driver":       {"/libpod_parent/libpod-" + idA, place{container: idA}},
	"podman, monitor with cgroupfs": {"/libpod_parent/conmon", place{}},
	"podman, in a service":          {"/system.slice/web.service/libpod-payload-" + idA, place{container: idA, unit: "web.service"}},
	"podman, monitor in a service":  {"/system.slice/web.service/supervisor", place{unit: "web.service"}},
	"nerdctl":                       {"/system.slice/nerdctl-" + idA + ".scope", place{container: idA}},
	"containerd's namespace":        {"/default/" + idA, place{container: idA}},
	"containerd, in its own service": {
		"/system.slice/containerd.service/kubepods-burstable-pod" + dashed(uidA) + ".slice:cri-containerd:" + idA,
		place{container: idA, pod: uidA, kubelet: true},
	},
	"ECS":                           {"/ecs/cluster/" + hash + "/" + idA, place{container: idA}},
	"Fargate: no id of a container": {"/ecs/" + hash + "/" + hash + "-1234567890", place{}},
	"an id with capitals":           {"/docker/" + strings.ToUpper(idA), place{}},
	"an id with a digit too many":   {"/docker/" + idA + "0", place{}},
	"an id with a digit too few":    {"/docker/" + idA[1:], place{}},
	"a prefix that is not known":    {"/system.slice/backup-" + idA + ".scope", place{unit: "system.slice"}},
	"a colon that is no runtime's":  {"/x.slice:backup:" + idA, place{}},
}

const allocation = "6f1bb10d-84a5-8c0b-3c8e-d2b7e1a3c5f7"

var system = map[string]shape{
	"LXC":                        {"/lxc.payload.web/system.slice/nginx.service", place{container: "web", top: "/lxc.payload.web"}},
	"LXC, a name with a dot":     {"/lxc.payload.web.example", place{container: "web.example", top: "/lxc.payload.web.example"}},
	"LXC, a payload's directory": {"/lxc.payload/web/init.scope", place{container: "web", top: "/lxc.payload/web"}},
	"LXC, a directory":           {"/lxc/web", place{container: "web", top: "/lxc/web"}},
	"LXC, its directory":         {"/lxc", place{}},
	"LXC, without a name":        {"/lxc.payload./x", place{}},
	"LXC's monitor":              {"/lxc.monitor.web", place{}},
	"LXC's monitor, a directory": {"/lxc.monitor/web", place{}},
	"Proxmox":                    {"/lxc/101/ns/init.scope", place{container: "101", top: "/lxc/101"}},
	"Proxmox, another":           {"/lxc/102/ns/init.scope", place{container: "102", top: "/lxc/102"}},
	"Incus, in a project":        {"/lxc.payload.shop_web/init.scope", place{container: "shop_web", top: "/lxc.payload.shop_web"}},
	"LXC, without root": {
		"/user.slice/user-1000.slice/session-1.scope/lxc.payload.web/init.scope",
		place{container: "web", unit: "user.slice", top: "/user.slice/user-1000.slice/session-1.scope/lxc.payload.web"},
	},
	"a name that is not UTF-8": {"/lxc.payload.caf\xe9/init.scope", place{container: "caf\uFFFD", top: "/lxc.payload.caf\xe9"}},
	"nspawn": {
		"/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
		place{container: "web", top: "/machine.slice/systemd-nspawn@web.service/payload"},
	},
	"nspawn, an escaped name": {
		`/machine.slice/systemd-nspawn@web\x2dfront.service/payload/init.scope`,
		place{container: "web-front", top: `/machine.slice/systemd-nspawn@web\x2dfront.service/payload`},
	},
	"nspawn's supervisor": {"/machine.slice/systemd-nspawn@web.service/supervisor", place{unit: "systemd-nspawn@web.service"}},
	"nspawn by hand": {
		"/machine.slice/machine-web.scope/payload/system.slice/nginx.service",
		place{container: "web", top: "/machine.slice/machine-web.scope/payload"},
	},
	"nspawn by hand, its supervisor": {"/machine.slice/machine-web.scope/supervisor", place{unit: "machine.slice"}},
	"libvirt's LXC": {
		`/machine.slice/machine-lxc\x2d4321\x2dweb.scope/libvirt/emulator`,
		place{container: "web", top: `/machine.slice/machine-lxc\x2d4321\x2dweb.scope`},
	},
	"a virtual machine": {`/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator`, place{unit: "machine.slice"}},
	"Nomad": {
		"/nomad.slice/share.slice/" + allocation + ".web.scope",
		place{container: allocation + ".web", top: "/nomad.slice/share.slice/" + allocation + ".web.scope"},
	},
	"Nomad, before 1.7": {
		"/nomad.slice/" + allocation + ".web.scope/inner",
		place{container: allocation + ".web", top: "/nomad.slice/" + allocation + ".web.scope"},
	},
	"Nomad, version 1":        {"/nomad/" + allocation, place{container: allocation, top: "/nomad/" + allocation}},
	"Nomad, Docker's driver":  {"/nomad.slice/share.slice/docker-" + idA + ".scope", place{container: idA}},
	"Nomad, its slice":        {"/nomad.slice/share.slice", place{unit: "nomad.slice"}},
	"Nomad's form, elsewhere": {"/system.slice/" + allocation + ".web.scope", place{unit: "system.slice"}},
}

var tables = []map[string]shape{kubernetes, nested, imitations, engines, system}

func TestParsePath(t *testing.T) {
	for _, table := range tables {
		for name, tt := range table {
			t.Run(name, func(t *testing.T) {
				if id := tt.want.container; id != "" && tt.want.top == "" {
					after := tt.path[strings.LastIndex(tt.path, id):]
					tt.want.top = strings.TrimSuffix(tt.path, after) + id
					if strings.HasPrefix(after, id+".scope") {
						tt.want.top += ".scope"
					}
				}
				if diff := cmp.Diff(tt.want, parsePath(tt.path, true), cmp.AllowUnexported(place{})); diff != "" {
					t.Errorf("parsePath(%q) (-want +got):\n%s", tt.path, diff)
				}
			})
		}
	}
}

// On a host with pods of its own, no container is a Kubernetes node.
func TestParsePathOfAHostWithPods(t *testing.T) {
	for name, tt := range nested {
		if !tt.want.nested {
			continue
		}
		p := parsePath(tt.path, false)
		if p.container != idA || p.pod != "" || p.nested {
			t.Errorf("%s: parsePath(%q) = %+v, want container %s", name, tt.path, p, idA)
		}
	}
}

func TestUnescape(t *testing.T) {
	for escaped, want := range map[string]string{
		"":             "",
		"web":          "web",
		`a\x2db\x2dc`:  "a-b-c",
		`\xe2\x82\xac`: "\u20ac",
		`a\x`:          `a\x`,
		`a\x2`:         `a\x2`,
		`a\xzz-`:       `a\xzz-`,
		`trailing\x2d`: "trailing-",
		`a\x5cx2d`:     `a\x2d`,
	} {
		if got := unescape(escaped); got != want {
			t.Errorf("unescape(%q) = %q, want %q", escaped, got, want)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, table := range tables {
		for _, tt := range table {
			f.Add(tt.path)
		}
	}
	for path := range units {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		path = "/" + path
		certain(t, path, parsePath(path, true))
		outermost(t, path)
		ofUser(t, path)
	})
}

// certain checks that all parts stand in the path, in the form that they must have.
func certain(t *testing.T, path string, p place) {
	t.Helper()
	for _, name := range []string{p.container, p.pod, p.unit} {
		if !utf8.ValidString(name) {
			t.Errorf("%q: %q is not UTF-8", path, name)
		}
	}
	if p.container != "" {
		if !strings.HasPrefix(path, p.top) || isEngineID(p.container) && !strings.Contains(p.top, p.container) {
			t.Errorf("%q: %q is not the path of container %q", path, p.top, p.container)
		}
		if again := parsePath(p.top+"/init.scope", true); again != p {
			t.Errorf("%q: inside of the container: %+v, want %+v", path, again, p)
		}
	}
	if p.pod != "" && (!isUUID(p.pod) || !strings.Contains(strings.ReplaceAll(path, "_", "-"), "pod"+p.pod)) {
		t.Errorf("%q: pod %q is no UID in it", path, p.pod)
	}
	if p.unit == "" {
		return
	}
	if p.pod != "" {
		t.Errorf("%q: unit %q in a pod", path, p.unit)
	}
	if !strings.HasSuffix(p.unit, ".service") && !strings.HasSuffix(p.unit, ".slice") && p.unit != "init.scope" {
		t.Errorf("%q: %q is no kind of unit that is reported", path, p.unit)
	}
}

// outermost checks that nothing below a container in a pod changes who it is, and below another container only a
// kubelet.
func outermost(t *testing.T, path string) {
	t.Helper()
	pod := "/kubepods/pod" + uidA + "/" + idA
	if p, want := parsePath(pod+path, true), (place{container: idA, pod: uidA, top: pod, kubelet: true}); p != want {
		t.Errorf("parsePath(%q) = %+v, want %+v", pod+path, p, want)
	}
	node, want := "/docker/"+idA, place{container: idA, top: "/docker/" + idA}
	if p := parsePath(node+path, false); p != want {
		t.Errorf("parsePath(%q, false) = %+v, want %+v", node+path, p, want)
	}
	if p := parsePath(node+path, true); p != want && (!p.nested || !strings.Contains(path, "kubepods")) {
		t.Errorf("parsePath(%q) = %+v, want %+v", node+path, p, want)
	}
}

// ofUser checks that nothing below a user's slice is a pod, or a container without the user.
func ofUser(t *testing.T, path string) {
	t.Helper()
	user := "/user.slice/user-1000.slice" + path
	if p := parsePath(user, true); p.unit != "user.slice" || p.pod != "" || p.kubelet || p.nested {
		t.Errorf("parsePath(%q) = %+v", user, p)
	}
}

func BenchmarkParsePath(b *testing.B) {
	for _, name := range []string{"containerd, systemd driver, burstable", "cgroupfs driver, burstable"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parsePath(kubernetes[name].path, true)
			}
		})
	}
}

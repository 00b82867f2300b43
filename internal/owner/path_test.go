package owner

import (
	"strings"
	"testing"

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
		place{container: idA, pod: uidA},
	},
	"containerd, systemd driver, best effort": {
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{container: idA, pod: uidA},
	},
	"containerd, systemd driver, guaranteed": {
		"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/cri-containerd-" + idA + ".scope",
		place{container: idA, pod: uidA},
	},
	"cri-o": {
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + dashed(uidA) + ".slice/crio-" + idA + ".scope",
		place{container: idA, pod: uidA},
	},
	"cri-o, crun's inner cgroup": {
		"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/crio-" + idA + ".scope/container",
		place{container: idA, pod: uidA},
	},
	"cri-o's monitor in a pod's slice": {
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + dashed(uidA) + ".slice/crio-conmon-" + idA + ".scope",
		place{unit: "kubepods.slice"},
	},
	"cri-o, cgroupfs driver":              {"/kubepods/besteffort/pod" + uidA + "/crio-" + idA, place{container: idA, pod: uidA}},
	"cri-o's monitor, cgroupfs driver":    {"/kubepods/besteffort/pod" + uidA + "/crio-conmon-" + idA, place{}},
	"docker, systemd driver":              {"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice/docker-" + idA + ".scope", place{container: idA, pod: uidA}},
	"cgroupfs driver, burstable":          {"/kubepods/burstable/pod" + uidA + "/" + idA, place{container: idA, pod: uidA}},
	"cgroupfs driver, guaranteed":         {"/kubepods/pod" + uidA + "/" + idA, place{container: idA, pod: uidA}},
	"cgroupfs driver, init in it":         {"/kubepods/pod" + uidA + "/" + idA + "/init.scope", place{container: idA, pod: uidA}},
	"a cgroup root of kubelet's":          {"/tenant/kubepods/burstable/pod" + uidA + "/" + idA, place{container: idA, pod: uidA}},
	"static pod, cgroupfs driver":         {"/kubepods/burstable/pod" + hash + "/" + idA, place{container: idA}},
	"static pod, systemd driver":          {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + hash + ".slice/cri-containerd-" + idA + ".scope", place{container: idA}},
	"a pod without a container":           {"/kubepods.slice/kubepods-pod" + dashed(uidA) + ".slice", place{pod: uidA}},
	"a static pod without a container":    {"/kubepods.slice/kubepods-pod" + hash + ".slice", place{unit: "kubepods.slice"}},
	"only kubelet's slice":                {"/kubepods.slice/kubepods-burstable.slice", place{unit: "kubepods.slice"}},
	"only kubelet's directory":            {"/kubepods/burstable", place{}},
	"a systemd path with cgroupfs driver": {"/system.slice/containerd.service/kubepods-burstable-pod" + dashed(uidA) + ".slice:cri-containerd:" + idA, place{container: idA, pod: uidA}},
	"the same at the root":                {"/kubepods-pod" + dashed(uidA) + ".slice:cri-containerd:" + idA, place{container: idA, pod: uidA}},
	"k3s below its service":               {"/system.slice/k3s.service/kubepods/pod" + uidA + "/" + idA, place{container: idA, pod: uidA}},
	"a uid with capitals":                 {"/kubepods/pod" + strings.ToUpper(uidA) + "/" + idA, place{container: idA}},
	"a uid with a digit too many":         {"/kubepods/pod" + uidA + "0/" + idA, place{container: idA}},
	"a slice that only looks like a pod":  {"/system.slice/system-pod" + dashed(uidA) + ".slice/x.service", place{unit: "x.service"}},
}

var nested = map[string]shape{
	"kind, systemd driver": {
		"/docker/" + idA + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" +
			dashed(uidB) + ".slice/cri-containerd-" + idB + ".scope",
		place{container: idB, pod: uidB},
	},
	"kind, node in a scope": {
		"/system.slice/docker-" + idA + ".scope/kubelet/kubepods/besteffort/pod" + uidB + "/" + idB,
		place{container: idB, pod: uidB},
	},
	"kind, static pod":                         {"/docker/" + idA + "/kubelet/kubepods/burstable/pod" + hash + "/" + idB, place{container: idB}},
	"kind, kubelet itself":                     {"/docker/" + idA + "/system.slice/kubelet.service", place{container: idA}},
	"kind, a pod without a container":          {"/docker/" + idA + "/kubelet/kubepods/pod" + uidB, place{container: idA}},
	"kind in a pod":                            {"/kubepods/pod" + uidA + "/" + idA + "/kubelet/kubepods/pod" + uidB + "/" + idB, place{container: idB, pod: uidB}},
	"kind in a pod, static pod":                {"/kubepods/pod" + uidA + "/" + idA + "/kubelet/kubepods/pod" + hash + "/" + idB, place{container: idB}},
	"kind in a pod, a pod without a container": {"/kubepods/pod" + uidA + "/" + idA + "/kubelet/kubepods/pod" + uidB, place{container: idA, pod: uidA}},
	"kind in a pod, a monitor":                 {"/kubepods/pod" + uidA + "/" + idA + "/kubelet/kubepods/pod" + uidB + "/crio-conmon-" + idB, place{container: idA, pod: uidA}},
	"docker in a pod":                          {"/kubepods/pod" + uidA + "/" + idA + "/docker/" + idB, place{container: idB, pod: uidA}},
	"docker in docker":                         {"/docker/" + idA + "/docker/" + idB, place{container: idB}},
	"docker's systemd":                         {"/system.slice/docker-" + idA + ".scope/system.slice/nginx.service", place{container: idA}},
	"docker's systemd itself":                  {"/docker/" + idA + "/init.scope", place{container: idA}},
	"docker below LXC":                         {"/lxc.payload.web/docker/" + idA, place{container: idA}},
	"a runtime's scope in a user's manager":    {"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" + idA + ".scope", place{container: idA}},
}

var engines = map[string]shape{
	"docker, systemd driver":          {"/system.slice/docker-" + idA + ".scope", place{container: idA}},
	"docker, cgroupfs driver":         {"/docker/" + idA, place{container: idA}},
	"docker, a parent of one's own":   {"/actions_job/" + idA, place{container: idA}},
	"docker, a build":                 {"/docker/buildkit/q1x0zq5m2e6c1n0gq8zyn5t2h", place{}},
	"docker, a mount":                 {"/system.slice/var-lib-docker-overlay2-" + idA + "-merged.mount", place{unit: "system.slice"}},
	"podman":                          {"/machine.slice/libpod-" + idA + ".scope/container", place{container: idA}},
	"podman's monitor":                {"/machine.slice/libpod-conmon-" + idA + ".scope", place{unit: "machine.slice"}},
	"podman, in a pod":                {"/machine.slice/machine-libpod_pod_" + idB + ".slice/libpod-" + idA + ".scope", place{container: idA}},
	"podman, a pod without container": {"/machine.slice/machine-libpod_pod_" + idB + ".slice", place{unit: "machine.slice"}},
	"podman, without root":            {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + idA + ".scope", place{container: idA}},
	"podman, cgroupfs driver":         {"/libpod_parent/libpod-" + idA, place{container: idA}},
	"podman, monitor with cgroupfs":   {"/libpod_parent/conmon", place{}},
	"podman, in a service":            {"/system.slice/web.service/libpod-payload-" + idA, place{container: idA}},
	"podman, monitor in a service":    {"/system.slice/web.service/supervisor", place{unit: "web.service"}},
	"nerdctl":                         {"/system.slice/nerdctl-" + idA + ".scope", place{container: idA}},
	"containerd's namespace":          {"/default/" + idA, place{container: idA}},
	"ECS":                             {"/ecs/cluster/" + hash + "/" + idA, place{container: idA}},
	"Fargate: no id of a container":   {"/ecs/" + hash + "/" + hash + "-1234567890", place{}},
	"an id with capitals":             {"/docker/" + strings.ToUpper(idA), place{}},
	"an id with a digit too many":     {"/docker/" + idA + "0", place{}},
	"an id with a digit too few":      {"/docker/" + idA[1:], place{}},
	"a prefix that is not known":      {"/system.slice/backup-" + idA + ".scope", place{unit: "system.slice"}},
	"a colon that is no runtime's":    {"/x.slice:backup:" + idA, place{}},
	"LXC":                             {"/lxc/web", place{}},
	"LXC's payload":                   {"/lxc.payload.web/system.slice/nginx.service", place{}},
	"LXC's monitor":                   {"/lxc.monitor.web", place{}},
	"nspawn":                          {"/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service", place{unit: "systemd-nspawn@web.service"}},
	"nspawn by hand":                  {"/machine.slice/machine-web.scope/payload/system.slice/nginx.service", place{unit: "machine.slice"}},
	"a virtual machine":               {`/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator`, place{unit: "machine.slice"}},
}

func TestParsePath(t *testing.T) {
	for _, table := range []map[string]shape{kubernetes, nested, engines} {
		for name, tt := range table {
			t.Run(name, func(t *testing.T) {
				if id := tt.want.container; id != "" {
					after := tt.path[strings.LastIndex(tt.path, id):]
					tt.want.top = strings.TrimSuffix(tt.path, after) + id
					if strings.HasPrefix(after, id+".scope") {
						tt.want.top += ".scope"
					}
				}
				if diff := cmp.Diff(tt.want, parsePath(tt.path), cmp.AllowUnexported(place{})); diff != "" {
					t.Errorf("parsePath(%q) (-want +got):\n%s", tt.path, diff)
				}
			})
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, table := range []map[string]shape{kubernetes, nested, engines} {
		for _, tt := range table {
			f.Add(tt.path)
		}
	}
	for path := range units {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		path = "/" + path
		p := parsePath(path)
		certain(t, path, p)
		inNode(t, path, p)
	})
}

// certain checks that whatever was read stands in the path, in the form that it must have.
func certain(t *testing.T, path string, p place) {
	t.Helper()
	if p.container != "" {
		if len(p.container) != 64 || !isHex(p.container) {
			t.Errorf("%q: container %q is no id", path, p.container)
		}
		if !strings.HasPrefix(path, p.top) || !strings.HasSuffix(strings.TrimSuffix(p.top, ".scope"), p.container) {
			t.Errorf("%q: %q is not the path of container %q", path, p.top, p.container)
		}
		if again := parsePath(p.top + "/init.scope"); again.container != p.container || again.pod != p.pod {
			t.Errorf("%q: what is inside of the container is %+v", path, again)
		}
	}
	if p.pod != "" && (!isUUID(p.pod) || !strings.Contains(strings.ReplaceAll(path, "_", "-"), "pod"+p.pod)) {
		t.Errorf("%q: pod %q is no UID in it", path, p.pod)
	}
	if p.unit == "" {
		return
	}
	if p.container != "" || p.pod != "" {
		t.Errorf("%q: unit %q in a container or a pod", path, p.unit)
	}
	if !strings.HasSuffix(p.unit, ".service") && !strings.HasSuffix(p.unit, ".slice") && p.unit != "init.scope" {
		t.Errorf("%q: %q is a unit of no kind that is reported", path, p.unit)
	}
}

// inNode checks that the same cgroup on a node that is a container itself is the same container, or else the node's.
func inNode(t *testing.T, path string, p place) {
	t.Helper()
	const node = "/docker/ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	want := place{container: p.container, pod: p.pod, top: node + p.top}
	if p.container == "" {
		want = place{container: node[len("/docker/"):], top: node}
	}
	if diff := cmp.Diff(want, parsePath(node+path), cmp.AllowUnexported(place{})); diff != "" {
		t.Errorf("parsePath(%q) (-want +got):\n%s", node+path, diff)
	}
}

func BenchmarkParsePath(b *testing.B) {
	for _, name := range []string{"containerd, systemd driver, burstable", "cgroupfs driver, burstable"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parsePath(kubernetes[name].path)
			}
		})
	}
}

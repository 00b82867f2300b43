//go:build linux

package testcluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/testing/protocmp"
	corev1 "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	"sigs.k8s.io/yaml"
)

// spec returns a pod from YAML, as manifests have it.
func spec(t *testing.T, text string) (pod corev1.PodSpec) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// strict is a pod that asks for all that is translated.
const strict = `
hostPID: true
securityContext: {runAsUser: 7, seccompProfile: {type: RuntimeDefault}}
initContainers: [{name: side, image: "example.com/side:1"}]
containers:
  - name: main
    image: example.com/main:1
    command: [/main]
    args: [--one]
    env:
      - {name: PLAIN, value: a}
      - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    securityContext:
      runAsUser: 0
      runAsGroup: 5
      privileged: false
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL], add: [BPF, PERFMON]}
    resources: {limits: {memory: 64Mi}}
    volumeMounts:
      - {name: config, mountPath: /etc/main, readOnly: true}
      - {name: proc, mountPath: /host/proc}
volumes:
  - {name: config, configMap: {name: main}}
  - {name: proc, hostPath: {path: /proc}}
`

func strictPod(t *testing.T) Pod {
	t.Helper()
	return Pod{Name: "p", UID: "u-1", Spec: spec(t, strict), Folders: map[string]string{"config": "/files"}, Fields: map[string]string{"spec.nodeName": "n"}}
}

// A manifest's requests reach containerd in the form that a kubelet gives them.
func TestContainer(t *testing.T) {
	got, err := strictPod(t).container("main")
	if err != nil {
		t.Fatal(err)
	}
	want := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: "main"}, Image: &cri.ImageSpec{Image: "example.com/main:1"},
		Command: []string{"/main"}, Args: []string{"--one"}, LogPath: "main.log",
		Envs: []*cri.KeyValue{{Key: "PLAIN", Value: "a"}, {Key: "NODE", Value: "n"}},
		Mounts: []*cri.Mount{
			{ContainerPath: "/etc/main", HostPath: "/files", Readonly: true}, {ContainerPath: "/host/proc", HostPath: "/proc"},
		},
		Linux: &cri.LinuxContainerConfig{
			Resources: &cri.LinuxContainerResources{MemoryLimitInBytes: 64 << 20},
			SecurityContext: &cri.LinuxContainerSecurityContext{
				Capabilities:     &cri.Capability{AddCapabilities: []string{"BPF", "PERFMON"}, DropCapabilities: []string{"ALL"}},
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_POD, Pid: cri.NamespaceMode_NODE, Ipc: cri.NamespaceMode_POD},
				RunAsUser:        &cri.Int64Value{Value: 0}, RunAsGroup: &cri.Int64Value{Value: 5},
				ReadonlyRootfs: true, NoNewPrivs: true, MaskedPaths: masked, ReadonlyPaths: readOnly,
				Seccomp: &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault},
			},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A container takes from its pod what it does not set itself. Otherwise containerd's defaults apply.
func TestContainerOfPod(t *testing.T) {
	p := strictPod(t)
	got, err := p.container("side")
	if err != nil {
		t.Fatal(err)
	}
	s := got.Linux.SecurityContext
	if s.RunAsUser.GetValue() != 7 || s.RunAsGroup != nil || s.Seccomp.ProfileType != cri.SecurityProfile_RuntimeDefault {
		t.Errorf("%v", s)
	}
	if s.NoNewPrivs || s.ReadonlyRootfs || len(s.Capabilities.DropCapabilities) != 0 {
		t.Errorf("the rights are restricted without a request: %v", s)
	}
	p.Spec.SecurityContext, p.Spec.HostPID = nil, false
	if got, err = p.container("side"); err != nil {
		t.Fatal(err)
	}
	s = got.Linux.SecurityContext
	if s.RunAsUser != nil || s.Seccomp.ProfileType != cri.SecurityProfile_Unconfined || s.NamespaceOptions.Pid != cri.NamespaceMode_CONTAINER {
		t.Errorf("%v", s)
	}
}

// A request that cannot be translated is an error, not a container with other rights.
func TestContainerRefused(t *testing.T) {
	for want, change := range map[string]func(*Pod){
		"privileged is not supported":      func(p *Pod) { p.Spec.Containers[0].SecurityContext.Privileged = new(true) },
		"NODE has no value":                func(p *Pod) { p.Fields = nil },
		"the volume config has no folder":  func(p *Pod) { p.Folders = nil },
		"the pod p has no container main":  func(p *Pod) { p.Spec.Containers[0].Name = "other" },
		"the volume proc has no folder":    func(p *Pod) { p.Spec.Volumes = p.Spec.Volumes[:1] },
		"container main: NODE has no valu": func(p *Pod) { p.Spec.Containers[0].Env[1].ValueFrom = &corev1.EnvVarSource{} },
	} {
		p := strictPod(t)
		change(&p)
		if _, err := p.container("main"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The cgroup of a pod is where a kubelet puts it, because netconn finds the pod's uid there.
func TestSandbox(t *testing.T) {
	got := strictPod(t).sandbox("/logs")
	want := &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: "p", Uid: "u-1", Namespace: "default"}, LogDirectory: "/logs",
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: "/netconn-node/kubepods/burstable/podu-1",
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_POD, Pid: cri.NamespaceMode_NODE, Ipc: cri.NamespaceMode_POD},
				Seccomp:          &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault},
			},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// fakeRuntime is a containerd that only answers. It keeps what it was asked for.
type fakeRuntime struct {
	cri.RuntimeServiceClient

	created *cri.CreateContainerRequest
	info    string // of the container that was started
	refuses string // the call that fails
}

func (f *fakeRuntime) answer(call string) error {
	if f.refuses == call {
		return errors.New(call + " is refused")
	}
	return nil
}

func (f *fakeRuntime) RunPodSandbox(context.Context, *cri.RunPodSandboxRequest, ...grpc.CallOption) (*cri.RunPodSandboxResponse, error) {
	return &cri.RunPodSandboxResponse{PodSandboxId: "sandbox"}, f.answer("run")
}

func (f *fakeRuntime) PodSandboxStatus(context.Context, *cri.PodSandboxStatusRequest, ...grpc.CallOption) (*cri.PodSandboxStatusResponse, error) {
	return &cri.PodSandboxStatusResponse{Status: &cri.PodSandboxStatus{Network: &cri.PodSandboxNetworkStatus{Ip: "10.244.1.9"}}}, f.answer("status")
}

func (f *fakeRuntime) CreateContainer(_ context.Context, r *cri.CreateContainerRequest, _ ...grpc.CallOption) (*cri.CreateContainerResponse, error) {
	f.created = r
	return &cri.CreateContainerResponse{ContainerId: "container"}, f.answer("create")
}

func (f *fakeRuntime) StartContainer(_ context.Context, r *cri.StartContainerRequest, _ ...grpc.CallOption) (*cri.StartContainerResponse, error) {
	if r.ContainerId != "container" {
		return nil, errors.New("another container")
	}
	path := filepath.Join(f.created.SandboxConfig.LogDirectory, f.created.Config.LogPath)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("a line\n"), 0o600))
	return &cri.StartContainerResponse{}, errors.Join(err, f.answer("start"))
}

func (f *fakeRuntime) ContainerStatus(context.Context, *cri.ContainerStatusRequest, ...grpc.CallOption) (*cri.ContainerStatusResponse, error) {
	return &cri.ContainerStatusResponse{Info: map[string]string{"info": f.info}}, f.answer("status of the container")
}

func (f *fakeRuntime) Status(context.Context, *cri.StatusRequest, ...grpc.CallOption) (*cri.StatusResponse, error) {
	return &cri.StatusResponse{Status: &cri.RuntimeStatus{Conditions: []*cri.RuntimeCondition{
		{Type: "RuntimeReady", Status: true}, {Type: "NetworkReady", Status: f.info != ""},
	}}}, f.answer("ready")
}

// A container is started in its pod with more arguments, and is known by its id, its first process and its log.
func TestStart(t *testing.T) {
	f := &fakeRuntime{info: `{"pid": 42}`}
	r := &Runtime{t: t, dir: t.TempDir(), cri: f}
	s := r.Run(strictPod(t))
	if s.Address != "10.244.1.9" {
		t.Errorf("address %s", s.Address)
	}
	k := s.Start("main", "--two")
	if k.ID != "container" || k.PID != 42 || k.Log(t) != "a line\n" {
		t.Errorf("%+v with the log %q", k, k.Log(t))
	}
	if diff := cmp.Diff([]string{"--one", "--two"}, f.created.Config.Args); diff != "" || f.created.PodSandboxId != "sandbox" {
		t.Errorf("in %s, arguments (-want +got):\n%s", f.created.PodSandboxId, diff)
	}
	if again, err := s.pod.container("main"); err != nil || len(again.Args) != 1 {
		t.Errorf("the pod has changed: %v %v", again.GetArgs(), err)
	}
}

// A refusal of containerd ends the test, which names the call.
func TestStartRefused(t *testing.T) {
	for call, want := range map[string]string{
		"run": "failed: run the pod p: run is refused", "status": "failed: run the pod p: status is refused",
		"create": "failed: create the container main: create is refused", "start": "failed: start the container main: start is refused",
		"status of the container": "failed: status of the container is refused", "": "failed: the container main has no process",
	} {
		got := ending(t, func(r *recorder) {
			f := &fakeRuntime{info: `{"pid": 0}`, refuses: call}
			(&Runtime{t: r, dir: t.TempDir(), cri: f}).Run(strictPod(t)).Start("main")
		})
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
}

// containerd is ready with the network of pods, and not before.
func TestRuntimeReady(t *testing.T) {
	for _, c := range []struct {
		f    fakeRuntime
		want bool
	}{{fakeRuntime{info: "x"}, true}, {fakeRuntime{}, false}, {fakeRuntime{info: "x", refuses: "ready"}, false}} {
		if got := (&Runtime{t: t, cri: &c.f}).ready(); got != c.want {
			t.Errorf("%+v: %t", &c.f, got)
		}
	}
}

// containerd takes fewer programs than a node, and none of Kubernetes.
func TestRequireRuntime(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"containerd", "ctr", "runc", "iptables", "ip"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", path)
	t.Setenv("NETCONN_REQUIRE_KUBERNETES", "1")
	t.Setenv(insideVariable, "1")
	require := func() string { return ending(t, func(r *recorder) { RequireRuntime(r) }) }
	if got := require(); got != "" {
		t.Errorf("all is there: %q", got)
	}
	if err := os.Remove(filepath.Join(path, "runc")); err != nil {
		t.Fatal(err)
	}
	if got := require(); !strings.HasPrefix(got, "failed: ") || !strings.Contains(got, "runc") {
		t.Errorf("without runc: %q", got)
	}
}

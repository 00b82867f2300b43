//go:build linux

package testcluster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// A Pod has what a kubelet would ask of containerd for it.
type Pod struct {
	Name, UID string
	Spec      corev1.PodSpec
	Folders   map[string]string // of this machine, for volumes that are no host paths
	Fields    map[string]string // what the downward API knows, by the path of the field
}

// A Sandbox is a pod that has its network.
type Sandbox struct {
	Address string

	r      *Runtime
	pod    Pod
	id     string
	config *cri.PodSandboxConfig
}

// A Task is a container that runs.
type Task struct {
	ID  string
	PID int // of its first process

	log string
}

// Log returns what the container has written.
func (k *Task) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Run makes the network of a pod.
func (r *Runtime) Run(pod Pod) *Sandbox {
	r.t.Helper()
	s := &Sandbox{r: r, pod: pod, config: pod.sandbox(r.path("logs-" + pod.Name))}
	run, err := r.cri.RunPodSandbox(r.t.Context(), &cri.RunPodSandboxRequest{Config: s.config})
	if err != nil {
		r.t.Fatalf("run the pod %s: %v", pod.Name, err)
	}
	s.id = run.PodSandboxId
	answer, err := r.cri.PodSandboxStatus(r.t.Context(), &cri.PodSandboxStatusRequest{PodSandboxId: s.id})
	if err != nil {
		r.t.Fatalf("run the pod %s: %v", pod.Name, err)
	}
	s.Address = answer.Status.Network.Ip
	return s
}

// Start starts a container of the pod, with more arguments than the pod has for it.
func (s *Sandbox) Start(name string, more ...string) *Task {
	t := s.r.t
	t.Helper()
	config, err := s.pod.container(name)
	if err != nil {
		t.Fatal(err)
	}
	config.Args = append(config.Args, more...)
	created, err := s.r.cri.CreateContainer(t.Context(),
		&cri.CreateContainerRequest{PodSandboxId: s.id, Config: config, SandboxConfig: s.config})
	if err != nil {
		t.Fatalf("create the container %s: %v", name, err)
	}
	k := &Task{ID: created.ContainerId, log: filepath.Join(s.config.LogDirectory, config.LogPath)}
	if _, err := s.r.cri.StartContainer(t.Context(), &cri.StartContainerRequest{ContainerId: k.ID}); err != nil {
		t.Fatalf("start the container %s: %v", name, err)
	}
	status, err := s.r.cri.ContainerStatus(t.Context(), &cri.ContainerStatusRequest{ContainerId: k.ID, Verbose: true})
	if err != nil {
		t.Fatal(err)
	}
	var info struct{ PID int }
	if err := json.Unmarshal([]byte(status.Info["info"]), &info); err != nil || info.PID == 0 {
		t.Fatalf("the container %s has no process: %v: %s", name, err, k.Log(t))
	}
	k.PID = info.PID
	return k
}

// sandbox returns what a kubelet asks for before it starts the containers.
func (p Pod) sandbox(logs string) *cri.PodSandboxConfig {
	own := cmp.Or(p.Spec.SecurityContext, &corev1.PodSecurityContext{})
	return &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: p.Name, Uid: p.UID, Namespace: "default"},
		LogDirectory: logs,
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: "/" + nodeCgroup + "/kubepods/burstable/pod" + p.UID,
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: p.namespaces(), Seccomp: seccomp(own.SeccompProfile),
			},
		},
	}
}

func (p Pod) namespaces() *cri.NamespaceOption {
	pid := cri.NamespaceMode_CONTAINER
	if p.Spec.HostPID {
		pid = cri.NamespaceMode_NODE
	}
	return &cri.NamespaceOption{Network: cri.NamespaceMode_POD, Pid: pid, Ipc: cri.NamespaceMode_POD}
}

// container returns what a kubelet asks for to start a container.
func (p Pod) container(name string) (*cri.ContainerConfig, error) {
	all := slices.Concat(p.Spec.InitContainers, p.Spec.Containers)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("the pod %s has no container %s", p.Name, name)
	}
	c := all[i]
	environment, err := p.environment(c)
	mounts, failure := p.mounts(c)
	rights, failed := p.rights(c)
	return &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name}, Image: &cri.ImageSpec{Image: c.Image},
		Command: c.Command, Args: slices.Clone(c.Args), Envs: environment, Mounts: mounts, LogPath: name + ".log",
		Linux: &cri.LinuxContainerConfig{
			Resources:       &cri.LinuxContainerResources{MemoryLimitInBytes: c.Resources.Limits.Memory().Value()},
			SecurityContext: rights,
		},
	}, errors.Join(err, failure, failed)
}

// Paths of /proc and /sys that a kubelet has containers not see, or not write.
var (
	masked = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
	}
	readOnly = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

func (p Pod) rights(c corev1.Container) (*cri.LinuxContainerSecurityContext, error) {
	own := cmp.Or(c.SecurityContext, &corev1.SecurityContext{})
	if is(own.Privileged) {
		return nil, fmt.Errorf("container %s: privileged is not supported", c.Name)
	}
	pod := cmp.Or(p.Spec.SecurityContext, &corev1.PodSecurityContext{})
	change := cmp.Or(own.Capabilities, &corev1.Capabilities{})
	rights := &cri.LinuxContainerSecurityContext{
		Capabilities:     &cri.Capability{AddCapabilities: text(change.Add), DropCapabilities: text(change.Drop)},
		NamespaceOptions: p.namespaces(),
		ReadonlyRootfs:   is(own.ReadOnlyRootFilesystem),
		NoNewPrivs:       own.AllowPrivilegeEscalation != nil && !*own.AllowPrivilegeEscalation,
		MaskedPaths:      masked, ReadonlyPaths: readOnly,
		Seccomp: seccomp(cmp.Or(own.SeccompProfile, pod.SeccompProfile)),
	}
	if user := cmp.Or(own.RunAsUser, pod.RunAsUser); user != nil {
		rights.RunAsUser = &cri.Int64Value{Value: *user}
	}
	if group := cmp.Or(own.RunAsGroup, pod.RunAsGroup); group != nil {
		rights.RunAsGroup = &cri.Int64Value{Value: *group}
	}
	return rights, nil
}

func is(b *bool) bool { return b != nil && *b }

func text(all []corev1.Capability) (names []string) {
	for _, c := range all {
		names = append(names, string(c))
	}
	return names
}

func seccomp(profile *corev1.SeccompProfile) *cri.SecurityProfile {
	if profile != nil && profile.Type == corev1.SeccompProfileTypeRuntimeDefault {
		return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
	}
	return &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Unconfined}
}

func (p Pod) environment(c corev1.Container) (all []*cri.KeyValue, err error) {
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil {
			if v.ValueFrom.FieldRef == nil || p.Fields[v.ValueFrom.FieldRef.FieldPath] == "" {
				return nil, fmt.Errorf("container %s: %s has no value", c.Name, v.Name)
			}
			value = p.Fields[v.ValueFrom.FieldRef.FieldPath]
		}
		all = append(all, &cri.KeyValue{Key: v.Name, Value: value})
	}
	return all, nil
}

func (p Pod) mounts(c corev1.Container) (all []*cri.Mount, err error) {
	for _, m := range c.VolumeMounts {
		source := p.Folders[m.Name]
		for _, v := range p.Spec.Volumes {
			if v.Name == m.Name && v.HostPath != nil {
				source = v.HostPath.Path
			}
		}
		if source == "" {
			return nil, fmt.Errorf("container %s: the volume %s has no folder", c.Name, m.Name)
		}
		all = append(all, &cri.Mount{ContainerPath: m.MountPath, HostPath: source, Readonly: m.ReadOnly})
	}
	return all, nil
}

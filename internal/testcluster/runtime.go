//go:build linux

package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	plain "google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/image"
)

const podRange = "10.244.1.0/24"

// Runtime is containerd on the machine of Enter, without Kubernetes. Containers get the rights that a manifest asks
// for. It takes root and a program that runs in Enter.
type Runtime struct {
	t   testing.TB
	dir string // configuration and log of containerd
	cri cri.RuntimeServiceClient
}

// RequireRuntime skips the test where the programs are not there; with NETCONN_REQUIRE_KUBERNETES=1 that is a failure.
func RequireRuntime(t testing.TB) {
	t.Helper()
	var err error
	for _, name := range []string{"containerd", "ctr", "runc", "iptables", "ip"} {
		_, failure := exec.LookPath(name)
		err = errors.Join(err, failure)
	}
	if err == nil && os.Getenv(insideVariable) == "" {
		err = errors.New("the tests do not run in Enter")
	}
	missing(t, err)
}

// missing skips the test if something is missing, or has it fail where nothing may be skipped.
func missing(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("NETCONN_REQUIRE_KUBERNETES") == "1":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// NewRuntime prepares the machine, and starts containerd with images.
func NewRuntime(t testing.TB, pause image.Image, images ...image.Image) *Runtime {
	t.Helper()
	RequireRuntime(t)
	prepareMachine(t)
	r := &Runtime{t: t, dir: t.TempDir()}
	containerd := r.start(pause.Name)
	t.Cleanup(func() {
		if text, err := os.ReadFile(r.path("containerd.log")); err == nil && t.Failed() {
			t.Logf("the end of the log of containerd:\n%s", text[max(0, len(text)-2000):])
		}
		containerd.Kill()
	})
	for _, i := range append(images, pause) {
		r.add(i)
	}
	c, err := grpc.NewClient("unix:///run/containerd/containerd.sock",
		grpc.WithTransportCredentials(plain.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r.cri = cri.NewRuntimeServiceClient(c)
	if err := harness.Until(startTime, "the network of pods", r.ready); err != nil {
		t.Fatal(err)
	}
	return r
}

// ready reports whether containerd has read the configuration of the network.
func (r *Runtime) ready() bool {
	answer, err := r.cri.Status(r.t.Context(), &cri.StatusRequest{})
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(answer.Status.Conditions, func(c *cri.RuntimeCondition) bool { return !c.Status })
}

// prepareMachine gives the namespaces that Enter has made an address, and folders that are the node's own.
func prepareMachine(t testing.TB) {
	t.Helper()
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	for _, folder := range []string{"/run", "/var/lib/cni", "/var/log", "/etc/cni", "/etc/kubernetes"} {
		err = errors.Join(err, os.MkdirAll(folder, 0o755), unix.Mount("none", folder, "tmpfs", 0, ""))
	}
	for _, folder := range []string{"/var/lib/containerd", "/var/lib/kubelet"} { // a disk, as the kubelet expects
		own := filepath.Join(nodeFolder, folder)
		err = errors.Join(err, os.MkdirAll(folder, 0o755), os.MkdirAll(own, 0o755),
			unix.Mount(own, folder, "", unix.MS_BIND, ""))
	}
	err = errors.Join(err, os.MkdirAll("/etc/kubernetes/manifests", 0o755), os.MkdirAll("/etc/cni/net.d", 0o755))
	for name, value := range tunables {
		err = errors.Join(err, cover("/proc/sys/"+name, value))
	}
	for _, command := range []string{
		"ip link set lo up", "ip link add node0 type bridge",
		"ip address add " + NodeAddress.String() + "/24 dev node0",
		"ip link set node0 up", "ip route add default dev node0",
	} {
		fields := strings.Fields(command)
		if out, failure := exec.Command(fields[0], fields[1:]...).CombinedOutput(); failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %s", command, failure, out))
		}
	}
	err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0))
	if err != nil {
		t.Fatal(err)
	}
}

// tunables are what a kubelet sets on its machine. Here it finds them set, in files that cover those of the kernel.
var tunables = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// cover mounts a file with a text over another one.
func cover(path, text string) error {
	file := filepath.Join("/run", strings.ReplaceAll(path, "/", "_"))
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return unix.Mount(file, path, "", unix.MS_BIND, "")
}

// start starts containerd, which a kubelet may use, too. The first process of a kubelet's pod is the image pause.
func (r *Runtime) start(pause string) *harness.Process {
	r.t.Helper()
	config := fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
`, pause)
	// Each packet of a pod is routed by the node, also to another pod of it.
	network := fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}`, podRange)
	err := errors.Join(os.WriteFile(r.path("containerd.toml"), []byte(config), 0o600),
		os.WriteFile("/etc/cni/net.d/10-pods.conflist", []byte(network), 0o600))
	if err != nil {
		r.t.Fatal(err)
	}
	containerd := start(r.t, r.path("containerd.log"), "containerd", "--config="+r.path("containerd.toml"))
	if err := harness.Until(startTime, "containerd", func() bool { return ctr("version") == nil }); err != nil {
		r.t.Fatal(err)
	}
	return containerd
}

func (r *Runtime) path(name string) string { return filepath.Join(r.dir, name) }

// add writes an image, and gives it to containerd.
func (r *Runtime) add(i image.Image) {
	r.t.Helper()
	path := r.path("image.tar")
	file, err := os.Create(path)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = image.Write(file, i)
	if err := errors.Join(err, file.Close()); err != nil {
		r.t.Fatalf("write %s: %v", i.Name, err)
	}
	Load(r.t, path)
	if err := os.Remove(path); err != nil {
		r.t.Fatal(err)
	}
}

// Load gives the image in an archive to the containerd of this machine.
func Load(t testing.TB, archive string) {
	t.Helper()
	if err := ctr("images", "import", archive); err != nil {
		t.Fatalf("load %s: %v", archive, err)
	}
}

func ctr(arguments ...string) error {
	out, err := exec.Command("ctr", append([]string{"--namespace=k8s.io"}, arguments...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return nil
}

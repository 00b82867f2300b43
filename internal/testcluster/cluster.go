//go:build linux

// Package testcluster runs the control plane of a Kubernetes cluster for tests: etcd and kube-apiserver, on loopback,
// with certificates of its own. There are no controllers, no scheduler and no kubelet: a test writes the objects that
// those would write, their status too, and they stay as they are. A Node has all of that: it runs pods. A Runtime runs
// pods without Kubernetes.
//
// The programs are kube-apiserver and kubectl in the folder that NETCONN_KUBERNETES names (`make kubernetes` builds
// them), and etcd in the path. Everything is private to the test and gone with it. An API server takes some seconds
// to start, so the tests of a package share one where they can.
package testcluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netconn/netconn/internal/harness"
)

// startTime is what a start takes at most on a machine that has other things to do.
const startTime = 3 * time.Minute

// ServiceRange are the cluster addresses that services may have.
const ServiceRange = "10.96.0.0/16,fd00:10:96::/112"

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Cluster is an API server with its store.
type Cluster struct {
	Client kubernetes.Interface // of an administrator
	Admin  *rest.Config         // without a limit of requests
	Audit  string               // path of a file with a line for each request

	t         testing.TB
	dir       string
	address   netip.Addr
	authority *authority

	etcd  *harness.Process
	api   *harness.Process
	port  int
	store string // address of etcd
}

// Require skips the test where the programs are not there; with NETCONN_REQUIRE_KUBERNETES=1 that is a failure.
func Require(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("etcd")
	_, ok := os.LookupEnv("NETCONN_KUBERNETES")
	switch {
	case err == nil && ok:
	case os.Getenv("NETCONN_REQUIRE_KUBERNETES") == "1":
		t.Fatalf("required by NETCONN_REQUIRE_KUBERNETES=1: etcd in the path (%v), NETCONN_KUBERNETES in the "+
			"environment (%v)", err, ok)
	default:
		t.Skip("needs etcd and NETCONN_KUBERNETES: make test-kubernetes")
	}
}

// Program returns the path of a program that is built from the sources of Kubernetes.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(os.Getenv("NETCONN_KUBERNETES"), name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// New starts a cluster and waits until it is ready.
func New(t testing.TB) *Cluster {
	t.Helper()
	return NewAt(t, loopback)
}

// NewAt starts a cluster with an API server at an address that kubelets, controllers and pods reach. Unlike that of
// New, it wants the controllers that Kubernetes has.
func NewAt(t testing.TB, address netip.Addr) *Cluster {
	t.Helper()
	Require(t)
	c := &Cluster{t: t, dir: t.TempDir(), address: address}
	c.Audit = c.path("audit.log")
	c.authority = newAuthority(t, c.dir, address)
	c.startEtcd()
	t.Cleanup(func() { c.etcd.Kill() })
	c.write("audit.yaml", auditPolicy)
	c.port = freePort(t)
	c.Start()
	t.Cleanup(func() { c.api.Kill() })
	c.Admin = c.User("netconn-test", "system:masters")
	client, err := kubernetes.NewForConfig(c.Admin)
	if err != nil {
		t.Fatal(err)
	}
	c.Client = client
	c.wait("the namespace that every cluster has", c.hasDefaults)
	return c
}

// Host is the address of the API server.
func (c *Cluster) Host() string {
	return "https://" + netip.AddrPortFrom(c.address, uint16(c.port)).String()
}

// User returns the credentials of a user, without a limit of requests.
func (c *Cluster) User(name, group string) *rest.Config {
	c.t.Helper()
	return &rest.Config{Host: c.Host(), TLSClientConfig: c.authority.client(name, group), QPS: -1}
}

// Path returns the path of one of the cluster's files: ca.crt, and tokens.key, which signs the tokens of service
// accounts.
func (c *Cluster) Path(name string) string { return c.path(name) }

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Cluster) startEtcd() {
	c.t.Helper()
	c.store = "http://127.0.0.1:" + strconv.Itoa(freePort(c.t))
	peer := "http://127.0.0.1:" + strconv.Itoa(freePort(c.t))
	c.etcd = start(c.t, c.path("etcd.log"), "etcd", "--data-dir="+c.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+c.store, "--advertise-client-urls="+c.store,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	c.wait("etcd", func() error { return get(http.DefaultClient, c.store+"/health") })
}

// auditPolicy has a line for each request that a client makes, at its beginning: a watch has no end.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseComplete, ResponseStarted]
rules: [{level: Metadata}]
`

// Start starts the API server, at the address that it had before.
func (c *Cluster) Start() {
	c.t.Helper()
	c.api = start(c.t, c.path("kube-apiserver.log"), Program(c.t, "kube-apiserver"), append(c.mode(),
		"--etcd-servers="+c.store, "--bind-address="+c.address.String(), "--advertise-address="+c.address.String(),
		"--secure-port="+strconv.Itoa(c.port),
		"--cert-dir="+c.path("unused"), "--tls-cert-file="+c.path("server.crt"),
		"--tls-private-key-file="+c.path("server.key"),
		"--client-ca-file="+c.path("ca.crt"),
		"--service-account-key-file="+c.path("tokens.key"), "--service-account-signing-key-file="+c.path("tokens.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range="+ServiceRange,
		"--enable-priority-and-fairness=false", "--audit-policy-file="+c.path("audit.yaml"),
		"--audit-log-path="+c.Audit,
	)...)
	anonymous := &http.Client{Transport: insecure()}
	c.wait("the API server", func() error {
		select {
		case <-c.api.Ended:
			return fmt.Errorf("it has ended: %s", c.api.State())
		default:
			return get(anonymous, c.Host()+"/readyz")
		}
	})
}

// mode returns the arguments that depend on who else there is.
func (c *Cluster) mode() []string {
	if c.address != loopback {
		credentials := c.authority.client("kube-apiserver", "system:masters")
		c.write("client.crt", string(credentials.CertData))
		c.write("client.key", string(credentials.KeyData))
		return []string{
			"--authorization-mode=Node,RBAC", "--kubelet-preferred-address-types=InternalIP",
			"--kubelet-client-certificate=" + c.path("client.crt"), "--kubelet-client-key=" + c.path("client.key"),
		}
	}
	return []string{
		"--authorization-mode=RBAC",
		"--disable-admission-plugins=ServiceAccount", // a controller would make the account that each pod needs
		"--endpoint-reconciler-type=none",
	}
}

// Stop kills the API server. What it knew stays in etcd.
func (c *Cluster) Stop() { c.api.Kill() }

func get(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body) // a hint, no more
		return fmt.Errorf("%s: %s: %s", url, response.Status, text)
	}
	return nil
}

func (c *Cluster) wait(what string, ready func() error) {
	c.t.Helper()
	err := errors.New("not asked yet")
	for end := time.Now().Add(startTime); err != nil; time.Sleep(50 * time.Millisecond) {
		if err = ready(); err != nil && time.Now().After(end) {
			c.t.Fatalf("waited in vain for %s: %v\n%s", what, err, c.logs())
		}
	}
}

// logs returns the ends of what the programs wrote.
func (c *Cluster) logs() []byte {
	var all bytes.Buffer
	for _, name := range []string{"etcd.log", "kube-apiserver.log"} {
		if text, err := os.ReadFile(c.path(name)); err == nil {
			fmt.Fprintf(&all, "%s:\n%s\n", name, text[max(0, len(text)-3000):])
		}
	}
	return all.Bytes()
}

func start(t testing.TB, log, program string, arguments ...string) *harness.Process {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = file, file
	c, err := harness.Start(command)
	if err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return c
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

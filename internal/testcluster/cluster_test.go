//go:build linux

package testcluster

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The server's certificate is valid for its address and its names, a client's for the user and the group, both by the
// authority alone.
func TestAuthority(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir, loopback)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(read(t, filepath.Join(dir, "ca.crt"))) {
		t.Fatal("ca.crt has no certificate")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"127.0.0.1", "localhost", "kubernetes.default.svc"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("the server at %s: %v", name, err)
		}
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "example.com"}); err == nil {
		t.Error("the server's certificate is valid for any name")
	}
	c := a.client("jane", "system:masters")
	client, err := tls.X509KeyPair(c.CertData, c.KeyData)
	if err != nil {
		t.Fatal(err)
	}
	uses := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if _, err := client.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: uses}); err != nil {
		t.Errorf("the client: %v", err)
	}
	if s := client.Leaf.Subject; s.CommonName != "jane" || len(s.Organization) != 1 || s.Organization[0] != "system:masters" {
		t.Errorf("the client is %v", s)
	}
	other := x509.NewCertPool()
	other.AddCert(newAuthority(t, t.TempDir(), loopback).cert)
	if _, err := client.Leaf.Verify(x509.VerifyOptions{Roots: other, KeyUsages: uses}); err == nil {
		t.Error("the client is valid by another authority")
	}
	for _, name := range []string{"server.key", "tokens.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// An object is decoded strictly; tabs, as Go's source has them, are blanks.
func TestDecode(t *testing.T) {
	c := &Cluster{t: t}
	got := decode[corev1.Node](c, "\nmetadata:\n\tname: node1\n\tlabels: {zone: a}\n")
	want := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node1", Labels: map[string]string{"zone": "a"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
}

func TestGet(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("etcd is not ready"))
	}))
	defer server.Close()
	if err := get(server.Client(), server.URL); err != nil {
		t.Error(err)
	}
	status = http.StatusServiceUnavailable
	if err := get(server.Client(), server.URL); err == nil || !strings.Contains(err.Error(), "503 Service Unavailable: etcd is not ready") {
		t.Errorf("got %v", err)
	}
	server.Close()
	if err := get(server.Client(), server.URL); err == nil {
		t.Error("a server that is gone answers")
	}
}

// The requests are those of the audit log; its last line may be half written.
func TestRequests(t *testing.T) {
	c := &Cluster{t: t, Audit: filepath.Join(t.TempDir(), "audit.log")}
	const line = `{"user":{"username":"jane"},"userAgent":"app/1","verb":"list","requestURI":"/api/v1/pods?limit=5",` +
		`"objectRef":{"resource":"pods","namespace":"a","name":"b"}}` + "\n"
	for _, rest := range []string{"", `{"user":{"userna`} {
		if err := os.WriteFile(c.Audit, []byte(line+line+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		want := Request{User: "jane", Agent: "app/1", Verb: "list", Resource: "pods", Namespace: "a", Name: "b", URI: "/api/v1/pods?limit=5"}
		if diff := cmp.Diff([]Request{want, want}, c.Requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
	}
}

func TestLogs(t *testing.T) {
	c := &Cluster{t: t, dir: t.TempDir()}
	if got := c.logs(); len(got) > 0 {
		t.Errorf("logs of nothing: %q", got)
	}
	c.write("etcd.log", strings.Repeat("x", 5000)+"end")
	if got := string(c.logs()); !strings.HasPrefix(got, "etcd.log:\nxx") || !strings.HasSuffix(got, "end\n") || len(got) > 3100 {
		t.Errorf("%d bytes of logs: %.20q ... %q", len(got), got, got[max(0, len(got)-10):])
	}
}

// A cluster keeps the objects with the status that a test gives them, for all users that may see them, and over a
// restart of its API server.
func TestCluster(t *testing.T) {
	c := New(t)
	c.Namespace("shop")
	node := c.Node("metadata: {name: node1}\nstatus: {addresses: [{type: InternalIP, address: 172.18.0.3}]}")
	pod := c.Pod(`
metadata: {name: cart-0, namespace: shop}
spec: {nodeName: node1, containers: [{name: cart, image: "example.com/cart:v7"}]}
status: {phase: Running, podIP: 10.244.1.5, podIPs: [{ip: 10.244.1.5}]}`)
	service := c.Service(`
metadata: {name: cart, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.96.1.5, selector: {app: cart}, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.5}]}}`)
	c.Slice(`
metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
endpoints: [{addresses: [10.244.1.5]}]
ports: [{port: 9080}]`)
	if node.Status.Addresses[0].Address != "172.18.0.3" || pod.UID == "" || service.Status.LoadBalancer.Ingress[0].IP != "203.0.113.5" {
		t.Errorf("made: %v, %v, %v", node.Status, pod.UID, service.Status)
	}

	config, err := clientcmd.BuildConfigFromFlags("", c.KubeConfig("jane", c.Admin))
	if err != nil {
		t.Fatal(err)
	}
	jane := client(t, config)
	checkPod := func(when string) {
		t.Helper()
		got, err := jane.CoreV1().Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{})
		if err != nil || got.UID != pod.UID || got.Status.PodIP != "10.244.1.5" || got.Status.Phase != corev1.PodRunning {
			t.Errorf("%s: the pod is %v, %v", when, got.Status, err)
		}
	}
	checkPod("at first")
	c.Stop()
	if _, err := jane.CoreV1().Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{}); err == nil {
		t.Error("an API server that is stopped answers")
	}
	c.Start()
	checkPod("after a restart")

	out, err := c.Kubectl("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: agent, namespace: shop}\n", "apply", "-f", "-")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkAgent(t, c)
	c.Delete("shop", "cart-0")
	if _, err := jane.CoreV1().Pods("shop").Get(t.Context(), "cart-0", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a pod that was deleted: %v", err)
	}
}

// checkAgent has an account without rights list pods: that is forbidden, and the audit log has it.
func checkAgent(t *testing.T, c *Cluster) {
	t.Helper()
	agent := client(t, c.ServiceAccount("shop", "agent"))
	if _, err := agent.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("an account without rights: %v", err)
	}
	asked := false
	for _, r := range c.Requests() {
		asked = asked || r.User == "system:serviceaccount:shop:agent" && r.Verb == "list" && r.Resource == "pods" && r.Namespace == "shop"
	}
	if !asked {
		t.Errorf("the account's request is not in the audit log")
	}
}

func client(t *testing.T, c *rest.Config) kubernetes.Interface {
	t.Helper()
	k, err := kubernetes.NewForConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

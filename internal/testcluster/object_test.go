//go:build linux

package testcluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ktesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/clientcmd"
)

// The status of an object is a request of its own, as the API server wants it; it is sent only where there is one.
func TestObjectsAreMadeWithTheirStatus(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(c *Cluster)
		want []string
	}{
		"a namespace": {func(c *Cluster) { c.Namespace("shop") }, []string{"create namespaces /shop"}},
		"a node": {
			func(c *Cluster) {
				c.Node("metadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}")
			},
			[]string{"create nodes /n1", "update nodes/status /n1"},
		},
		"a pod": {
			func(c *Cluster) { c.Pod("metadata: {name: p, namespace: shop}\nstatus: {podIP: 10.1.1.1}") },
			[]string{"create pods shop/p", "update pods/status shop/p"},
		},
		"a service": {
			func(c *Cluster) { c.Service("metadata: {name: s, namespace: shop}\nspec: {ports: [{port: 80}]}") },
			[]string{"create services shop/s"},
		},
		"a service with a load balancer": {
			func(c *Cluster) {
				c.Service("metadata: {name: s, namespace: shop}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.5}]}}")
			},
			[]string{"create services shop/s", "update services/status shop/s"},
		},
		"a slice": {
			func(c *Cluster) { c.Slice("metadata: {name: s-1, namespace: shop}\naddressType: IPv4\nendpoints: []") },
			[]string{"create endpointslices shop/s-1"},
		},
	} {
		c, client := objects(t)
		tt.make(c)
		if diff := cmp.Diff(tt.want, requests(client)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A pod that is deleted is gone at once: with the default period of grace it would stay until a kubelet reports.
func TestDeleteIsAtOnce(t *testing.T) {
	c, client := objects(t)
	c.Pod("metadata: {name: p, namespace: shop}")
	client.ClearActions()
	c.Delete("shop", "p")
	actions := client.Actions()
	if len(actions) != 1 {
		t.Fatalf("%d requests", len(actions))
	}
	grace := actions[0].(ktesting.DeleteActionImpl).DeleteOptions.GracePeriodSeconds
	if grace == nil || *grace != 0 {
		t.Errorf("the period of grace is %v", grace)
	}
	if pods, err := client.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{}); err != nil || len(pods.Items) > 0 {
		t.Errorf("pods after that: %v, %v", pods.Items, err)
	}
}

// A mistake in a test's object, and an object that the API server refuses, end the test with a sentence that shows it.
func TestObjectsThatAreRefused(t *testing.T) {
	c, _ := objects(t)
	c.Namespace("shop")
	for name, tt := range map[string]struct {
		make func()
		want string
	}{
		"an unknown field": {func() { c.Pod("metadata: {nmae: p}") }, `unknown field "nmae" in` + "\nmetadata: {nmae: p}"},
		"no YAML":          {func() { c.Service("metadata: {") }, "in\nmetadata: {"},
		"made before":      {func() { c.Namespace("shop") }, `namespaces "shop" already exists`},
		"no such pod":      {func() { c.Delete("shop", "p") }, `pods "p" not found`},
	} {
		got := ending(t, func(r *recorder) {
			c.t = r
			tt.make()
		})
		if !strings.HasPrefix(got, "failed: ") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A kubeconfig file has all that a client needs: server, authority, and a certificate or a token.
func TestKubeConfig(t *testing.T) {
	c, _ := objects(t)
	token := c.User("agent", "agents")
	token.CertData, token.KeyData, token.BearerToken = nil, nil, "secret"
	for name, user := range map[string]*rest.Config{"admin": c.Admin, "agent": token} {
		path := c.KubeConfig(name, user)
		got, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		type parts struct {
			Host, Token, CA, Cert, Key string
		}
		of := func(u *rest.Config) parts {
			return parts{u.Host, u.BearerToken, string(u.CAData), string(u.CertData), string(u.KeyData)}
		}
		if diff := cmp.Diff(of(user), of(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if filepath.Dir(path) != c.dir || got.Host != "https://127.0.0.1:6443" {
			t.Errorf("%s: %s is for %s", name, path, got.Host)
		}
	}
}

// The credentials of a service account are the token that the API server gives it, and no certificate.
func TestServiceAccount(t *testing.T) {
	c, client := objects(t)
	client.PrependReactor("create", "serviceaccounts", func(a ktesting.Action) (bool, runtime.Object, error) {
		r := &authenticationv1.TokenRequest{}
		r.Status.Token = "token of " + a.GetNamespace() + "/" + a.(ktesting.CreateActionImpl).Name
		return a.GetSubresource() == "token", r, nil
	})
	got := c.ServiceAccount("shop", "agent")
	if got.BearerToken != "token of shop/agent" || got.Host != c.Host() || string(got.CAData) != string(c.Admin.CAData) {
		t.Errorf("credentials: %v", got)
	}
	if len(got.CertData)+len(got.KeyData) > 0 {
		t.Error("an account has the certificate of an administrator")
	}
}

// kubectl runs with the administrator's kubeconfig and a home of its own; what it prints is returned with its error.
func TestKubectl(t *testing.T) {
	programs(t, "kubectl")
	c, _ := objects(t)
	got, err := c.Kubectl("text\n", "cat", "-f", "-")
	if want := Program(t, "kubectl") + "\ncat\n-f\n-\ntext\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	got, err = c.Kubectl("", "fail")
	if err == nil || err.Error() != "exit status 3" || !strings.Contains(got, "fail") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(c.path("admin.kubeconfig")); err != nil {
		t.Error(err)
	}
}

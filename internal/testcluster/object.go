//go:build linux

package testcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

func (c *Cluster) hasDefaults() error {
	_, err := c.Client.CoreV1().Namespaces().Get(context.Background(), metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// Namespace makes a namespace.
func (c *Cluster) Namespace(name string) {
	c.t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := c.Client.CoreV1().Namespaces().Create(context.Background(), n, metav1.CreateOptions{})
	c.must(err)
}

// Node makes a node, with its addresses.
func (c *Cluster) Node(text string) *corev1.Node {
	c.t.Helper()
	n := decode[corev1.Node](c, text)
	made, err := c.Client.CoreV1().Nodes().Create(context.Background(), n, metav1.CreateOptions{})
	c.must(err)
	made.Status = n.Status
	made, err = c.Client.CoreV1().Nodes().UpdateStatus(context.Background(), made, metav1.UpdateOptions{})
	c.must(err)
	return made
}

// Pod makes a pod on a node, with the status that its kubelet would report. The API server gives it a UID.
func (c *Cluster) Pod(text string) *corev1.Pod {
	c.t.Helper()
	return c.MakePod(decode[corev1.Pod](c, text))
}

// MakePod makes a pod like Pod.
func (c *Cluster) MakePod(p *corev1.Pod) *corev1.Pod {
	c.t.Helper()
	pods := c.Client.CoreV1().Pods(p.Namespace)
	made, err := pods.Create(context.Background(), p, metav1.CreateOptions{})
	c.must(err)
	made.Status = p.Status
	made, err = pods.UpdateStatus(context.Background(), made, metav1.UpdateOptions{})
	c.must(err)
	return made
}

// Delete removes a pod at once, as the last report of its kubelet does.
func (c *Cluster) Delete(namespace, pod string) {
	c.t.Helper()
	now := int64(0)
	c.must(c.Client.CoreV1().Pods(namespace).Delete(context.Background(), pod,
		metav1.DeleteOptions{GracePeriodSeconds: &now}))
}

// Service makes a service, with the status of its load balancer.
func (c *Cluster) Service(text string) *corev1.Service {
	c.t.Helper()
	s := decode[corev1.Service](c, text)
	services := c.Client.CoreV1().Services(s.Namespace)
	made, err := services.Create(context.Background(), s, metav1.CreateOptions{})
	c.must(err)
	if len(s.Status.LoadBalancer.Ingress) == 0 {
		return made
	}
	made.Status = s.Status
	made, err = services.UpdateStatus(context.Background(), made, metav1.UpdateOptions{})
	c.must(err)
	return made
}

// Slice makes an endpoint slice.
func (c *Cluster) Slice(text string) {
	c.t.Helper()
	s := decode[discoveryv1.EndpointSlice](c, text)
	_, err := c.Client.DiscoveryV1().EndpointSlices(s.Namespace).Create(context.Background(), s, metav1.CreateOptions{})
	c.must(err)
}

// KubeConfig writes a kubeconfig file for a user, and returns its path.
func (c *Cluster) KubeConfig(name string, user *rest.Config) string {
	c.t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: user.Host, CertificateAuthorityData: user.CAData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: user.CertData, ClientKeyData: user.KeyData, Token: user.BearerToken,
	}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: name}
	config.CurrentContext = "test"
	path := c.path(name + ".kubeconfig")
	c.must(clientcmd.WriteToFile(*config, path))
	return path
}

// ServiceAccount returns the credentials that a pod of a service account has. The account must exist.
func (c *Cluster) ServiceAccount(namespace, name string) *rest.Config {
	c.t.Helper()
	accounts := c.Client.CoreV1().ServiceAccounts(namespace)
	r, err := accounts.CreateToken(context.Background(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	c.must(err)
	return &rest.Config{Host: c.Host(), BearerToken: r.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.Admin.CAData}}
}

// Kubectl runs kubectl as an administrator, and returns its output.
func (c *Cluster) Kubectl(stdin string, arguments ...string) (string, error) {
	c.t.Helper()
	command := exec.Command(Program(c.t, "kubectl"), arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.KubeConfig("admin", c.Admin), "HOME="+c.dir)
	command.Stdin = strings.NewReader(stdin)
	text, err := command.CombinedOutput()
	return string(text), err
}

// A Request is a line of the audit log: a request to the API server, and its user.
type Request struct {
	User, Agent, Verb, Resource, Namespace, Name, URI string
}

// Requests returns all requests since the start.
func (c *Cluster) Requests() []Request {
	c.t.Helper()
	file, err := os.Open(c.Audit)
	c.must(err)
	defer file.Close()
	var all []Request
	lines := json.NewDecoder(file)
	for {
		var line struct {
			User       struct{ Username string }
			UserAgent  string
			Verb       string
			RequestURI string
			ObjectRef  struct{ Resource, Namespace, Name string }
		}
		if err := lines.Decode(&line); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { // the last line may be on its way
				c.must(err)
			}
			return all
		}
		all = append(all, Request{
			User: line.User.Username, Agent: line.UserAgent, Verb: line.Verb, Resource: line.ObjectRef.Resource,
			Namespace: line.ObjectRef.Namespace, Name: line.ObjectRef.Name, URI: line.RequestURI,
		})
	}
}

func decode[O any](c *Cluster, text string) *O {
	c.t.Helper()
	o := new(O)
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(text, "\t", "  ")), o); err != nil {
		c.must(fmt.Errorf("%w in\n%s", err, text))
	}
	return o
}

func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

//go:build linux

package kubernetes

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// kubeconfig writes a file with two contexts, and has it used as kubectl would.
func kubeconfig(t *testing.T, current string, servers map[string]string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: v1\nkind: Config\ncurrent-context: %q\nusers: [{name: u, user: {token: t}}]\nclusters:\n", current)
	for name, server := range servers {
		fmt.Fprintf(&text, "- {name: %s, cluster: {server: %q}}\n", name, server)
	}
	text.WriteString("contexts:\n")
	for name := range servers {
		fmt.Fprintf(&text, "- {name: %s, context: {cluster: %s, user: u}}\n", name, name)
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
}

// The API is that of the context that the configuration names, or of the file's current one.
func TestKubeConfig(t *testing.T) {
	kubeconfig(t, "one", map[string]string{"one": "https://192.0.2.1", "two": "https://192.0.2.2"})
	for context, want := range map[string]string{"": "https://192.0.2.1", "one": "https://192.0.2.1", "two": "https://192.0.2.2"} {
		r, err := restConfig(Config{AuthType: AuthKubeConfig, Context: context})
		if err != nil || r.Host != want || r.BearerToken != "t" {
			t.Errorf("context %q: %v, %v", context, r, err)
		}
	}
}

// The client keeps to the configured rates, uses no proxy and asks for protocol buffers.
func TestClientIsLimited(t *testing.T) {
	kubeconfig(t, "one", map[string]string{"one": "https://192.0.2.1"})
	t.Setenv("HTTPS_PROXY", "http://192.0.2.9:3128")
	r, err := restConfig(Config{AuthType: AuthKubeConfig, QPS: 7, Burst: 9})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://192.0.2.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if proxy, err := r.Proxy(request); proxy != nil || err != nil {
		t.Errorf("it uses the proxy %v, %v", proxy, err)
	}
	if r.QPS != 7 || r.Burst != 9 || r.UserAgent != "netconn" || r.ContentType != runtime.ContentTypeProtobuf {
		t.Errorf("%+v", r)
	}
}

// An API that cannot be reached by configuration is a sentence, with what was tried.
func TestNoAPI(t *testing.T) {
	kubeconfig(t, "", map[string]string{"one": "https://192.0.2.1", "broken": "https://192.0.2.1:port"})
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for want, c := range map[string]Config{
		"use the service account of this pod for the Kubernetes API: ": {AuthType: AuthServiceAccount},
		"use the kubeconfig file for the Kubernetes API: ":             {AuthType: AuthKubeConfig, Context: "three"},
		"make a client of the Kubernetes API: ":                        {AuthType: AuthKubeConfig, Context: "broken"},
	} {
		k, err := Open(c, time.Now)
		if k != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// Open does not wait for the API, and Close ends what waits for it.
func TestOpenDoesNotWait(t *testing.T) {
	kubeconfig(t, "one", map[string]string{"one": "http://127.0.0.1:1"})
	began := time.Now()
	k, err := Open(Config{AuthType: AuthKubeConfig, Scope: ScopeNode, Node: "node-1"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "all requests to fail", func() bool { return len(k.Faults()) == 4 })
	if zone, region, _ := k.Here(); zone != "" || region != "" || k.Synced() {
		t.Errorf("known of a cluster that is not there: %q, %q, synced %t", zone, region, k.Synced())
	}
	for _, f := range k.Faults() {
		if !strings.HasPrefix(f.Err.Error(), "watch "+f.About+" in the Kubernetes API (without: "+costs[f.About]+"): ") {
			t.Errorf("%s: %v", f.About, f.Err)
		}
	}
	k.Close()
	k.Close()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

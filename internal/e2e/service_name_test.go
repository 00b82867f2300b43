//go:build linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testcluster"
)

// The service.peer.name and .namespace that a pod has as a peer are the service.name and .namespace that the stock
// processor gives to what the pod itself sends: for each way in which a pod gets its name.
func TestClusterServiceNames(t *testing.T) {
	c := testcluster.New(t)
	rows := namedPods(t)
	pods := make([]*corev1.Pod, len(rows))
	for i, r := range rows {
		space := fmt.Sprintf("space-%d", i)
		c.Namespace(space)
		p := &corev1.Pod{ObjectMeta: r.Metadata, Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app", Image: "app:1"}}}}
		p.Namespace = space
		pods[i] = c.MakePod(p)
	}
	kubeconfig := c.KubeConfig("agent", c.Admin)
	sink := newSignals(t)
	a := runAgent(t, kubeconfig, sink)
	t.Setenv("KUBECONFIG", kubeconfig)
	k, err := kubernetes.Open(kubernetes.Config{AuthType: kubernetes.AuthKubeConfig, Scope: kubernetes.ScopeCluster}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	until(t, "everything to be listed", k.Synced)
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })

	for i, r := range rows {
		t.Run(r.What, func(t *testing.T) {
			uid := string(pods[i].UID)
			var logged values
			until(t, "the processor to know the pod", func() bool {
				sendLog(t, a.otlp, map[string]any{"k8s.pod.uid": uid})
				logged = sink.logOf(uid)
				return logged["service.name"] != ""
			})
			peer, _ := k.Pod(uid)
			want := [2]string{logged["service.name"], logged["service.namespace"]}
			if diff := cmp.Diff(want, [2]string{peer[names.PeerService], peer[names.PeerServiceNamespace]}); diff != "" {
				t.Errorf("(-the processor +the peer):\n%s", diff)
			}
			if logged["service.name"] != r.Service {
				t.Errorf("service.name is %q, want %q", logged["service.name"], r.Service)
			}
			if workload := logged["k8s."+strings.ToLower(r.Kind)+".name"]; workload != "" && workload != peer[names.PeerWorkload] {
				t.Errorf("the workload is %q, as a peer %q", workload, peer[names.PeerWorkload])
			}
		})
	}
}

// A namedPod is a row of testdata/names.yaml of internal/kubernetes.
type namedPod struct {
	What                          string
	Metadata                      metav1.ObjectMeta
	Name, Workload, Kind, Service string
}

func namedPods(t *testing.T) (rows []namedPod) {
	t.Helper()
	text, err := os.ReadFile("../../internal/kubernetes/testdata/names.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("MINUTE", fmt.Sprint(time.Now().Unix()/60), "NODE", "node-1")
	if err := yaml.UnmarshalStrict([]byte(fill.Replace(string(text))), &rows); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		for j := range rows[i].Metadata.OwnerReferences { // the API server requires these
			owner := &rows[i].Metadata.OwnerReferences[j]
			owner.APIVersion, owner.UID = "example.com/v1", "0"
		}
	}
	return rows
}

// logOf returns the resource of the last log record of a pod.
func (s *signals) logOf(uid string) values {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.logs) - 1; i >= 0; i-- {
		if s.logs[i]["k8s.pod.uid"] == uid {
			return s.logs[i]
		}
	}
	return nil
}

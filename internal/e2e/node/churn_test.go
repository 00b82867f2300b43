//go:build linux

package node

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testcluster"
)

// pause is what pods have between two changes.
const pause = 20 * time.Second

// Pods come and go for ten minutes: new versions, restarts, single pods, static ones, jobs, and one new agent. What
// arrives is still what the applications have counted, and no pod comes back without its name: neither in those
// minutes, nor in the twelve after, in which the flows of the last ones end.
func TestChurn(t *testing.T) {
	length := churnLength(t)
	n, b := install(t)
	startApplications(t, n)
	half := churn(t, n, length/2)
	b.wantCounted(t, "after half of the churn")
	restartAgent(t, n)
	resumeApplications(t)
	churn(t, n, length/2)
	b.wantCounted(t, "after the churn")
	b.wantMap(t, n)
	b.wantFit(t, n)
	b.wantNames(t)
	t.Logf("%d changes of pods in half of the time", half)
	if !t.Failed() {
		if err := os.Remove(staticPod); err != nil {
			t.Fatal(err)
		}
		kubectl(t, n, "delete", "namespace", "shop", "--timeout=120s")
		time.Sleep(length + 2*time.Minute)
		b.wantCounted(t, "after all pods have gone")
		b.wantNames(t)
	}
	explain(t, n, b)
}

// churnLength is ten minutes, or what NETCONN_CHURN says.
func churnLength(t *testing.T) time.Duration {
	t.Helper()
	testcluster.RequireNode(t)
	length, err := time.ParseDuration(os.Getenv("NETCONN_CHURN"))
	if err != nil {
		t.Skip("needs minutes, and NETCONN_CHURN to say how many: make test-churn")
	}
	return length
}

// churn changes something every twenty seconds, and returns how often it has.
func churn(t *testing.T, n *testcluster.Node, length time.Duration) (changes int) {
	t.Helper()
	again := func(pod string) {
		kubectl(t, n, "-n", "shop", "delete", "pod", pod)
		kubectl(t, n, "apply", "-f", "testdata/apps.yaml")
	}
	kinds := []func(){
		func() { kubectl(t, n, "-n", "shop", "set", "image", "deployment/web", "front=netconn.test/app:v2") },
		func() { again("bare") },
		func() { kubectl(t, n, "-n", "shop", "rollout", "restart", "statefulset/store") },
		func() { again("other") },
		func() { kubectl(t, n, "-n", "shop", "scale", "deployment/web", "--replicas=3") },
		func() { again("hostnet") },
		func() { restartStatic(t) },
		func() { kubectl(t, n, "-n", "shop", "delete", "pods", "-l", "app=web") },
	}
	for end := time.Now().Add(length); time.Now().Before(end); changes++ {
		kinds[changes%len(kinds)]()
		time.Sleep(pause)
	}
	return changes
}

// restartStatic has the kubelet replace the static pod: its file goes, and another one comes. (If the same one came back,
// the kubelet would show the container of before as the new pod's: docs/limits.md.)
func restartStatic(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(staticPod)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(staticPod); err != nil {
		t.Fatal(err)
	}
	time.Sleep(15 * time.Second)
	changed := strings.Replace(string(text), "labels: {", fmt.Sprintf("labels: {t%d: changed, ", time.Now().Unix()), 1)
	if err := os.WriteFile(staticPod, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

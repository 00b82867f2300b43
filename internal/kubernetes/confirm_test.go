package kubernetes

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netconn/netconn/internal/conn"
)

// twoNodes is a cluster with a pod on this node, one on another node of this machine, and one on another machine.
func twoNodes(watches ...*watch) *Cluster {
	s := storeOf(Config{Node: "node-1", Boot: "boot-a"})
	for name, boot := range map[string]string{"node-1": "boot-a", "node-2": "boot-a", "node-3": "boot-b", "node-4": ""} {
		s.putNode(&node{key: key{name: name}, boot: boot}, after(0))
	}
	for name, on := range map[string]string{
		"here": "node-1", "beside": "node-2", "far": "node-3", "old": "node-4", "lost": "node-5",
	} {
		p := podAt(name, 0, time.Second)
		p.node, p.containers = on, []container{{name: "app", ids: []string{"c-" + name}, runs: true}}
		s.putPod(p, after(2*time.Second))
	}
	return &Cluster{store: s, now: func() time.Time { return after(time.Minute) }, watches: watches}
}

// A cgroup can have the name of any pod. The API has the pods of this machine, and their containers.
func TestBelieve(t *testing.T) {
	in := func(container, pod string) conn.Owner {
		return conn.Owner{ContainerID: container, PodUID: pod, Executable: "app"}
	}
	for name, row := range map[string]struct{ owner, want conn.Owner }{
		"a pod of this node":                       {in("c-here", "uid-here"), in("c-here", "uid-here")},
		"a container that the API does not have":   {in("c-new", "uid-here"), in("c-new", "uid-here")},
		"a pod of another node of this machine":    {in("c-beside", "uid-beside"), in("c-beside", "uid-beside")},
		"a node that does not say its boot":        {in("c-old", "uid-old"), in("c-old", "uid-old")},
		"a node that is not known":                 {in("c-lost", "uid-lost"), in("c-lost", "uid-lost")},
		"no such pod":                              {in("c-new", "uid-forged"), in("c-new", "")},
		"no such pod, without a container":         {in("", "uid-forged"), in("", "")},
		"a pod of another machine":                 {in("c-new", "uid-far"), in("c-new", "")},
		"a pod and a container of another machine": {in("c-far", "uid-far"), in("", "")},
		"a container of another pod":               {in("c-beside", "uid-here"), in("", "")},
		"a container of a pod, in no such pod":     {in("c-here", "uid-forged"), in("", "")},
	} {
		t.Run(name, func(t *testing.T) {
			got, a := twoNodes().Believe(row.owner, after(time.Minute))
			if got != row.want || a != conn.Final {
				t.Errorf("got %+v, %v, want %+v", got, a, row.want)
			}
		})
	}
	unnamed := twoNodes()
	unnamed.config.Node = ""
	if got, _ := unnamed.Believe(in("c-far", "uid-far"), after(time.Minute)); got != in("c-far", "uid-far") {
		t.Errorf("which node this is is not known: %+v", got)
	}
}

// While not all pods are known, one that is not known may exist. One that is known still is.
func TestBelieveWhilePodsMayBeMissing(t *testing.T) {
	forged, here := conn.Owner{ContainerID: "c9", PodUID: "uid-forged"}, conn.Owner{ContainerID: "c-here", PodUID: "uid-here"}
	for name, prepare := range map[string]func(*Cluster){
		"before the list":         func(k *Cluster) { k.watches = []*watch{{kind: kindPods}} },
		"the API does not answer": func(k *Cluster) { k.watches = []*watch{{kind: kindPods, synced: true, err: errors.New("refused")}} },
		"an outage":               func(k *Cluster) { k.interrupted(kindPods, after(10*time.Second)) },
		"just after an outage": func(k *Cluster) {
			k.interrupted(kindPods, after(10*time.Second))
			k.resumed(kindPods, after(time.Minute-patience))
		},
		"more pods than there is room for": func(k *Cluster) { k.stats.podsRefused++ },
	} {
		t.Run(name, func(t *testing.T) {
			k := twoNodes()
			prepare(k)
			if got, a := k.Believe(forged, after(time.Minute)); got != forged || a != conn.Unknown {
				t.Errorf("got %+v, %v", got, a)
			}
			if got, _ := k.Believe(here, after(time.Minute)); got != here {
				t.Errorf("a known pod: %+v", got)
			}
		})
	}
	k := twoNodes()
	k.interrupted(kindServices, after(10*time.Second))
	k.interrupted(kindPods, after(10*time.Second))
	k.resumed(kindPods, after(20*time.Second))
	if got, a := k.Believe(forged, after(time.Minute)); got.PodUID != "" || a != conn.Final {
		t.Errorf("long after an outage: %+v, %v", got, a)
	}
}

// A pod that ended is believed as long as it is remembered, and one that appears is from then on.
func TestBelieveAPodThatComesAndGoes(t *testing.T) {
	k := twoNodes()
	o := conn.Owner{ContainerID: "c-new", PodUID: "uid-new"}
	believed := func(at time.Duration) bool {
		got, _ := k.Believe(o, after(at))
		return got == o
	}
	if believed(time.Minute) {
		t.Error("before the API has it")
	}
	k.putPod(podAt("new", time.Minute, time.Minute), after(61*time.Second))
	if !believed(62 * time.Second) {
		t.Error("once the API has it")
	}
	k.dropPod(key{"shop", "new"}, after(70*time.Second))
	if !believed(80 * time.Second) {
		t.Error("just after its end")
	}
	k.expire(after(70*time.Second + rememberFor + time.Second))
	if believed(70*time.Second + rememberFor + 2*time.Second) {
		t.Error("long after its end")
	}
}

// The cgroup of a static pod has the uid that its kubelet made, and the API that of its mirror.
func TestBelieveAStaticPod(t *testing.T) {
	mirror := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "etcd-node-1", Namespace: "kube-system", UID: "uid-mirror",
			Annotations: map[string]string{"kubernetes.io/config.mirror": "5f0c", "kubernetes.io/config.hash": "uid-static"},
		},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "etcd", Image: "etcd:3"}}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
			{Name: "etcd", ContainerID: "containerd://c-etcd"},
		}},
	}
	k := twoNodes()
	p := describePod(mirror)
	k.putPod(p, after(2*time.Second))
	for _, o := range []conn.Owner{
		{ContainerID: "c-etcd", StaticPod: true}, // the hash of a manifest is no uid
		{ContainerID: "c-etcd", PodUID: "uid-static"},
		{ContainerID: "c-etcd", PodUID: "uid-mirror"},
	} {
		if got, _ := k.Believe(o, after(time.Minute)); got != o {
			t.Errorf("got %+v of %+v", got, o)
		}
		if known, a := k.owned(o); known != k.describe(p, &p.containers[0]).Or(known) || a != conn.Final {
			t.Errorf("%+v is %+v, %v", o, known, a)
		}
	}
	k.dropPod(p.key, after(time.Minute))
	k.expire(after(time.Minute + rememberFor + time.Second))
	if got := k.pods.byUID.newest("uid-static"); got != nil {
		t.Errorf("the index still has %+v", got)
	}
}

// The container of another pod has no name here: its cgroup is in a pod that has no such container.
func TestContainerOfAnotherPod(t *testing.T) {
	k := twoNodes()
	if got, a := k.owned(conn.Owner{ContainerID: "c-beside", PodUID: "uid-forged"}); a == conn.Final || got[0] != "" {
		t.Errorf("got %+v, %v", got, a)
	}
}

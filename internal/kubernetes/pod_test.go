package kubernetes

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/netconn/netconn/internal/names"
)

// object reads an object as it would be written for kubectl.
func object[O any](t testing.TB, text string) *O {
	t.Helper()
	o := new(O)
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(text, "\t", "  ")), o); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return o
}

// testdata/names.yaml has the names that a pod goes by.
func TestNames(t *testing.T) {
	made := time.Date(2026, 1, 2, 13, 5, 0, 0, time.UTC)
	text, err := os.ReadFile("testdata/names.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("MINUTE", fmt.Sprint(made.Unix()/60), "NODE", "node-1")
	var rows []struct {
		What                          string
		Metadata                      metav1.ObjectMeta
		Name, Workload, Kind, Service string
	}
	if err := yaml.UnmarshalStrict([]byte(fill.Replace(string(text))), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Run(r.What, func(t *testing.T) {
			p := &corev1.Pod{ObjectMeta: r.Metadata, Spec: corev1.PodSpec{NodeName: "node-1"}}
			p.CreationTimestamp = metav1.NewTime(made)
			d := describePod(p)
			got := [4]string{d.name, d.workload, d.kind, d.service}
			if diff := cmp.Diff([4]string{r.Name, r.Workload, r.Kind, r.Service}, got); diff != "" {
				t.Errorf("name, workload, kind, service (-want +got):\n%s", diff)
			}
		})
	}
}

// A Job whose name ends in eight digits is a CronJob's only if they are a minute near the pod's creation.
func TestCronJobNear(t *testing.T) {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(time.Unix(29_455_985*60, 0))}}
	for job, want := range map[string]string{
		"nightly-29455985": "nightly", "nightly-29454545": "nightly", "nightly-29454544": "", "nightly-29457425": "nightly",
		"nightly-29457426": "", "nightly-2945598": "", "29455985": "", "-29455985": "",
	} {
		if got := cronJobOf(job, p); got != want {
			t.Errorf("%s: %q, want %q", job, got, want)
		}
	}
}

func TestServiceNamespace(t *testing.T) {
	p := object[corev1.Pod](t, `metadata: {name: a, namespace: shop}`)
	if got := describePod(p).serviceSpace; got != "shop" {
		t.Errorf("got %q", got)
	}
	p.Annotations = map[string]string{annotationNamespace: "other"}
	if got := describePod(p).serviceSpace; got != "other" {
		t.Errorf("got %q", got)
	}
}

const meshedPod = `
metadata: {name: reviews-1, namespace: shop, uid: u1, annotations: {sidecar.istio.io/status: "{}"}}
spec:
	nodeName: node-1
	initContainers:
	- {name: istio-init, image: "docker.io/istio/proxyv2:1.29.0", args: [istio-iptables]}
	- {name: istio-proxy, image: "docker.io/istio/proxyv2:1.29.0", restartPolicy: Always, args: [proxy, sidecar, --domain, x]}
	- {name: migrate, image: "example.com:5000/migrate@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
	containers:
	- {name: reviews, image: "example.com:5000/reviews:v3", ports: [{containerPort: 9080}, {containerPort: 53, protocol: UDP}]}
	ephemeralContainers:
	- {name: debug, image: busybox}
status:
	phase: Running
	startTime: "2026-01-02T03:04:05Z"
	podIP: 10.244.1.7
	podIPs: [{ip: 10.244.1.7}, {ip: "fd00:10:244::7"}]
	conditions: [{type: PodReadyToStartContainers, status: "True", lastTransitionTime: "2026-01-02T03:04:20Z"}]
	initContainerStatuses:
	- {name: istio-init, image: i, imageID: i, containerID: "containerd://init1", ready: true, restartCount: 0, state: {terminated: {exitCode: 0, startedAt: "2026-01-02T03:04:10Z", containerID: "containerd://init1"}}}
	- {name: istio-proxy, image: i, imageID: i, containerID: "containerd://proxy1", ready: true, restartCount: 0, state: {running: {startedAt: "2026-01-02T03:04:11Z"}}}
	containerStatuses:
	- {name: reviews, image: i, imageID: i, containerID: "containerd://app2", ready: true, restartCount: 1, state: {running: {startedAt: "2026-01-02T03:05:00Z"}}, lastState: {terminated: {exitCode: 1, containerID: "containerd://app1", startedAt: "2026-01-02T03:04:12Z"}}}
	ephemeralContainerStatuses:
	- {name: debug, image: i, imageID: i, containerID: "containerd://debug1", ready: false, restartCount: 0, state: {running: {startedAt: "2026-01-02T03:06:00Z"}}}
`

// What is kept of a pod with everything: init containers, a native sidecar, a container that was started again, two
// addresses.
func TestDescribePod(t *testing.T) {
	want := &pod{
		key: key{"shop", "reviews-1"}, uid: "u1", node: "node-1", name: "reviews-1", service: "reviews-1", serviceSpace: "shop", meshed: true,
		containers: []container{
			{name: "reviews", ids: []string{"app2", "app1"}, tag: "v3", ports: []port{9080, udpPort | 53}, runs: true},
			{name: "istio-init", ids: []string{"init1"}, tag: "1.29.0"},
			{name: "istio-proxy", ids: []string{"proxy1"}, tag: "1.29.0", proxy: names.Sidecar, runs: true},
			{name: "migrate", tag: "latest"},
			{name: "debug", ids: []string{"debug1"}, tag: "latest", runs: true},
		},
		addresses: []netip.Addr{netip.MustParseAddr("10.244.1.7"), netip.MustParseAddr("fd00:10:244::7")},
		began:     start,
		ready:     start.Add(4 * time.Second), // the first container started in second 10
	}
	got := describePod(object[corev1.Pod](t, meshedPod))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(pod{}, key{}, container{}), cmp.Comparer(sameAddr), cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func sameAddr(a, b netip.Addr) bool { return a == b }

// A pod in the node's network has none of the addresses, but the ports.
func TestHostNetwork(t *testing.T) {
	d := describePod(object[corev1.Pod](t, `
metadata: {name: exporter}
spec: {nodeName: node-1, hostNetwork: true, containers: [{name: e, ports: [{containerPort: 9100, hostPort: 9100}]}]}
status: {podIP: 192.0.2.1, podIPs: [{ip: 192.0.2.1}]}`))
	if d.addresses != nil || !slices.Equal(d.hostPorts, []exposed{{9100, 0}}) {
		t.Errorf("addresses %v, ports %v", d.addresses, d.hostPorts)
	}
	d = describePod(object[corev1.Pod](t, `
metadata: {name: web}
spec: {nodeName: node-1, containers: [{name: e, ports: [{containerPort: 80, hostPort: 8080}]}]}
status: {podIP: 10.244.1.7}`))
	if len(d.addresses) != 1 || !slices.Equal(d.hostPorts, []exposed{{8080, 0}}) {
		t.Errorf("addresses %v, ports %v", d.addresses, d.hostPorts)
	}
}

// A port of the node leads to one container, whatever ports the others have, and only if it is one of all of the node's
// addresses.
func TestHostPorts(t *testing.T) {
	for _, c := range []struct {
		what, spec string
		want       []exposed
	}{
		{"of the second container", `
containers: [{name: a, ports: [{containerPort: 8080}]}, {name: b, ports: [{containerPort: 80, hostPort: 8080}]}]`, []exposed{{8080, 1}}},
		{"of a native sidecar", `
containers: [{name: a}]
initContainers: [{name: b, restartPolicy: Always, ports: [{containerPort: 80, hostPort: 8080}]}]`, []exposed{{8080, 1}}},
		{"all addresses, in words", `
containers: [{name: a, ports: [{containerPort: 80, hostPort: 80, hostIP: 0.0.0.0}, {containerPort: 81, hostPort: 81, hostIP: "::"}]}]`, []exposed{{80, 0}, {81, 0}}},
		{"loopback", `containers: [{name: a, ports: [{containerPort: 80, hostPort: 80, hostIP: 127.0.0.1}]}]`, nil},
		{"two in the node's network", `
hostNetwork: true
containers: [{name: a, ports: [{containerPort: 80}]}, {name: b, ports: [{containerPort: 80}, {containerPort: 81}]}]`, []exposed{{80, -1}, {81, 1}}},
		{"UDP", `containers: [{name: a, ports: [{containerPort: 53, hostPort: 53, protocol: UDP}]}]`, []exposed{{udpPort | 53, 0}}},
		{"SCTP", `containers: [{name: a, ports: [{containerPort: 53, hostPort: 53, protocol: SCTP}]}]`, nil},
	} {
		d := describePod(object[corev1.Pod](t, "metadata: {name: web}\nspec:"+strings.ReplaceAll("\n"+strings.TrimSpace(c.spec), "\n", "\n  ")))
		if !slices.Equal(d.hostPorts, c.want) {
			t.Errorf("%s: %v, want %v", c.what, d.hostPorts, c.want)
		}
	}
}

// The rules are those of package names; here a pod is read for them.
func TestProxies(t *testing.T) {
	for _, c := range []struct {
		what, meta, container string
		want, pod             names.Proxy // of the container, and of the pod as a whole
	}{
		{"sidecar", `{}`, `{name: istio-proxy, args: [proxy, sidecar]}`, names.Sidecar, ""},
		{"sidecar without arguments", `{}`, `{name: istio-proxy}`, names.Sidecar, ""},
		{"ingress gateway", `{labels: {istio: ingressgateway}}`,
			`{name: istio-proxy, args: [proxy, router]}`, names.Gateway, names.Gateway},
		{"injected gateway", `{labels: {istio: eastwestgateway}}`, `{name: istio-proxy}`, names.Gateway, names.Gateway},
		{"waypoint", `{labels: {gateway.istio.io/managed: istio.io-mesh-controller, gateway.networking.k8s.io/gateway-name: w}}`,
			`{name: istio-proxy, args: [proxy, waypoint]}`, names.Waypoint, names.Waypoint},
		{"east-west gateway", `{labels: {gateway.istio.io/managed: istio.io-eastwest-controller}}`,
			`{name: istio-proxy, args: [proxy, waypoint]}`, names.Gateway, names.Gateway},
		{"ztunnel", `{labels: {app: ztunnel}}`, `{name: istio-proxy, args: [proxy, ztunnel]}`, names.Ztunnel, names.Ztunnel},
		{"ztunnel without its label", `{}`, `{name: istio-proxy, args: [proxy, ztunnel]}`, names.Ztunnel, ""},
		{"linkerd", `{}`, `{name: linkerd-proxy}`, names.Sidecar, ""},
		{"envoy gateway", `{labels: {gateway.envoyproxy.io/owning-gateway-name: eg}}`, `{name: envoy}`,
			names.Gateway, names.Gateway},
		{"an application", `{labels: {istio: pilot, app: istiod}}`, `{name: discovery, args: [discovery]}`, "", ""},
	} {
		p := object[corev1.Pod](t, "metadata: "+c.meta+"\nspec: {containers: ["+c.container+"]}")
		d := describePod(p)
		got, pod := names.Proxy(d.containers[0].proxy), names.Proxy(d.proxy)
		if got != c.want || pod != c.pod {
			t.Errorf("%s: container %q, pod %q; want %q, %q", c.what, got, pod, c.want, c.pod)
		}
	}
}

func TestImageTag(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for image, want := range map[string]string{
		"nginx": "latest", "nginx:1.27": "1.27", "example.com:5000/a/b": "latest", "example.com:5000/a/b:v1" + digest: "v1",
		"a" + digest: "latest", "": "", "Not An Image": "",
	} {
		if got := imageTag(image); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
	}
}

func TestDescribeService(t *testing.T) {
	for _, c := range []struct {
		what, text string
		addresses  int
		ports      int
		nodePorts  int
	}{
		{"cluster address of two families", `spec: {clusterIP: 10.96.1.3, clusterIPs: [10.96.1.3, "fd00::3"], ports: [{port: 80}, {port: 53, protocol: UDP}]}`, 2, 2, 0},
		{"headless", `spec: {clusterIP: None, clusterIPs: [None], ports: [{port: 80}]}`, 0, 1, 0},
		{"external name", `spec: {type: ExternalName, externalName: db.example.com}`, 0, 0, 0},
		{"node port", `spec: {clusterIP: 10.96.1.4, ports: [{port: 80, nodePort: 30080}]}`, 1, 1, 1},
		{"load balancer", `
spec: {clusterIP: 10.96.1.5, externalIPs: [198.51.100.1], ports: [{port: 80, nodePort: 30080}], healthCheckNodePort: 31000}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}, {hostname: lb.example.com}]}}`, 3, 1, 2},
	} {
		d := describeService(object[corev1.Service](t, "metadata: {name: s, namespace: shop}\n"+c.text))
		if len(d.addresses) != c.addresses || len(d.ports) != c.ports || len(d.nodePorts) != c.nodePorts {
			t.Errorf("%s: %+v", c.what, d)
		}
	}
}

func TestDescribeSlice(t *testing.T) {
	d := describeSlice(object[discoveryv1.EndpointSlice](t, `
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints:
- {addresses: [10.244.1.7], nodeName: node-1, zone: z, targetRef: {kind: Pod, name: db-0, uid: u}}
- {addresses: [198.51.100.1]}
- {addresses: []}
- {addresses: [not-an-address]}`))
	want := &slice{key: key{"shop", "db-1"}, service: "db", endpoints: []endpoint{
		{address: netip.MustParseAddr("10.244.1.7"), node: "node-1", zone: "z", pod: "db-0", uid: "u"},
		{address: netip.MustParseAddr("198.51.100.1")},
	}}
	if diff := cmp.Diff(want, d, cmp.AllowUnexported(slice{}, endpoint{}, key{}), cmp.Comparer(sameAddr)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzDescribePod feeds whatever decodes as a pod: nothing panics, an address is one that connections have, and ids
// have no runtime.
func FuzzDescribePod(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(meshedPod, "\t", "  ")))
	f.Add([]byte(`{metadata: {ownerReferences: [{kind: Job, name: "-00000000", controller: true}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := new(corev1.Pod)
		if yaml.Unmarshal(text, p) != nil {
			return
		}
		d := describePod(p)
		for _, a := range d.addresses {
			if !a.IsValid() || a.Is4In6() || a.Zone() != "" {
				t.Errorf("address %v", a)
			}
		}
		s := storeOf(Config{Node: d.node})
		s.putPod(d, start)
		s.putPod(describePod(p), start)
		s.dropPod(d.key, start)
		s.expire(start.Add(2 * rememberFor))
		wantEmpty(t, s)
	})
}

// feedOf is what a reflector writes to.
func feedOf(s *store) feed[*corev1.Pod, *pod] {
	return feed[*corev1.Pod, *pod]{describePod, s.putPod, s.dropPod, s.keepPods, func() time.Time { return start }}
}

// A list replaces what was known, whether its objects come as they are or described.
func TestFeed(t *testing.T) {
	s := storeOf(Config{})
	f := feedOf(s)
	named := func(name string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid"}}
	}
	a, b, c := named("a"), named("b"), named("c")
	a.UID, b.UID, c.UID = "1", "2", "3"
	transformed, err := f.Transformer()(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Replace([]any{a, transformed}, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.Replace([]any{b, c}, ""); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Pods != 2 || got.Ended != 1 {
		t.Errorf("pods %d, ended %d; want 2, 1", got.Pods, got.Ended)
	}
	if err := f.Delete(c); err != nil {
		t.Fatal(err)
	}
	if err := f.Update(b); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Pods != 1 || got.Ended != 2 {
		t.Errorf("pods %d, ended %d; want 1, 2", got.Pods, got.Ended)
	}
	if err := f.Add("nonsense"); err == nil {
		t.Error("nonsense is taken")
	}
}

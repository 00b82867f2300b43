package kubernetes

import (
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// feeds are those of everything but pods.
func feeds(s *store, now func() time.Time) (
	services feed[*corev1.Service, *service], nodes feed[*corev1.Node, *node], slices feed[*discoveryv1.EndpointSlice, *slice],
) {
	services = feed[*corev1.Service, *service]{describeService, s.putService, s.dropService, s.keepServices, now}
	nodes = feed[*corev1.Node, *node]{describeNode, s.putNode, s.dropNode, s.keepNodes, now}
	slices = feed[*discoveryv1.EndpointSlice, *slice]{describeSlice, s.putSlice, s.dropSlice, s.keepSlices, now}
	return services, nodes, slices
}

// A list has all objects: one that is missing was deleted during an outage. A node that was requested by name is in no
// list, and stays.
func TestListReplaces(t *testing.T) {
	s := storeOf(Config{Scope: ScopeNode, Node: "node-1"})
	services, nodes, slices := feeds(s, func() time.Time { return start })
	s.putNode(&node{key: key{name: "far"}, fetched: start}, start)
	of := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "shop"} }
	wantStats := func(when string, n int) {
		t.Helper()
		if got := s.Stats(); got.Services != n || got.Nodes != n+1 || got.Slices != n {
			t.Errorf("%s: %+v, want %d of each and a node", when, got, n)
		}
	}
	replace := func(names ...string) {
		t.Helper()
		var a, b, c []any
		for _, name := range names {
			a = append(a, &corev1.Service{ObjectMeta: of(name)})
			b = append(b, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
			c = append(c, &discoveryv1.EndpointSlice{ObjectMeta: of(name)})
		}
		for _, err := range []error{services.Replace(a, ""), nodes.Replace(b, ""), slices.Replace(c, "")} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	replace("one", "two", "three")
	wantStats("first list", 3)
	replace("two")
	wantStats("second list", 1)
	for _, err := range []error{
		services.Delete(&corev1.Service{ObjectMeta: of("two")}), nodes.Delete(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "two"}}),
		slices.Delete(&discoveryv1.EndpointSlice{ObjectMeta: of("two")}),
		services.Delete(&corev1.Service{ObjectMeta: of("never there")}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	wantStats("deleted", 0)
}

// A reflector describes the objects of a list one by one, and gives the descriptions to Replace and Delete.
func TestFeedTakesDescriptions(t *testing.T) {
	s := storeOf(Config{})
	services, _, _ := feeds(s, func() time.Time { return start })
	described, err := services.Transformer()(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort("10.96.0.7:80")
	if err := services.Replace([]any{described}, ""); err != nil || s.Service(conn.TCP, to) != "web.shop" {
		t.Errorf("%v, the service is %q", err, s.Service(conn.TCP, to))
	}
	if err := services.Delete(described); err != nil || s.Service(conn.TCP, to) != "" {
		t.Errorf("%v, the service is still %q", err, s.Service(conn.TCP, to))
	}
	if other, err := services.Transformer()(&corev1.Node{}); err != nil || other == nil {
		t.Errorf("what it cannot describe: %v, %v, want it unchanged", other, err)
	}
}

// What is no object of the kind is an error, and changes nothing.
func TestFeedRefuses(t *testing.T) {
	s := storeOf(Config{})
	services, _, _ := feeds(s, func() time.Time { return start })
	web := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}}
	if err := services.Add(web); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"added": services.Add(&corev1.Node{}), "changed": services.Update("text"), "listed": services.Replace([]any{web, "text"}, ""),
		"listed before others": services.Replace([]any{"text", web}, ""), "deleted": services.Delete("text"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if got := s.Stats().Services; got != 1 {
		t.Errorf("%d services are known, want the one that was", got)
	}
}

// A node has its zone, its region and the addresses at which others reach it: not its host name, and each once.
func TestDescribeNode(t *testing.T) {
	n := describeNode(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{
			"topology.kubernetes.io/zone": "zone-a", "topology.kubernetes.io/region": "east", "zone": "other"}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "192.0.2.9"}, {Type: corev1.NodeInternalIP, Address: "192.0.2.1"},
			{Type: corev1.NodeExternalIP, Address: "192.0.2.1"}, {Type: corev1.NodeInternalIP, Address: "fd00::1"},
			{Type: corev1.NodeInternalIP, Address: "none"},
		}},
	})
	if len(n.addresses) != 2 || n.addresses[0] != netip.MustParseAddr("192.0.2.1") || n.addresses[1] != netip.MustParseAddr("fd00::1") {
		t.Errorf("addresses %v", n.addresses)
	}
	s := storeOf(Config{Node: "node-1"})
	s.putNode(n, start)
	if zone, region := s.zone(); zone != "zone-a" || region != "east" {
		t.Errorf("here is %s in %s", zone, region)
	}
	p, a := s.Address(conn.Query{Address: netip.MustParseAddr("fd00::1"), At: start, Now: after(time.Hour)})
	if a != conn.Final || p[names.PeerType] != names.TypeNode || p[names.PeerNode] != "node-1" || p[names.PeerZone] != "zone-a" ||
		p[names.PeerScope] != names.ScopeNode {
		t.Errorf("%v, %v", a, p)
	}
}

func TestAnswerString(t *testing.T) {
	for a, want := range map[conn.Answer]string{conn.Unknown: "unknown", conn.Provisional: "provisional", conn.Final: "final"} {
		if a.String() != want {
			t.Errorf("%d is %q, want %q", a, a.String(), want)
		}
	}
}

//go:build linux

// Package bookinfo is the mesh that Istio's documentation shows: from outside a client asks a gateway, which asks the
// productpage, which asks details and reviews, which asks ratings. Two nodes, six pods (two of them reviews, one on
// each node), four services and the gateway's, and a sidecar in each pod but the gateway's, or a ztunnel a node.
//
// Addresses are those of the rule sets that real programs wrote for such a cluster: pods at 10.244.1.11 and so on,
// services at 10.96.1.1 and so on, nodes at 172.18.0.3 and 172.18.0.4, the client at 172.18.0.1.
package bookinfo

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// The names of the processes, which are those of their executables.
const (
	Gateway     = "gateway"
	Productpage = "productpage"
	Details     = "details"
	Reviews     = "reviews"
	Ratings     = "ratings"
	Client      = "client"
	Envoy       = "envoy"
	Ztunnel     = "ztunnel"
)

// Front is where the client finds the gateway: a node's own address and the port that every node has for it.
const Front = "http://172.18.0.3:30080/productpage"

// Options say how the mesh is made.
type Options struct {
	Mesh mesh.Options
	// name of the client's executable, where it is to be unique on the machine; empty: client
	Client  string
	Rules   *mesh.Family    // of each pod that a proxy is to be in the way of; nil: there is no proxy
	Ambient bool            // the proxy is a ztunnel, else a sidecar
	Sidecar program.Sidecar // as what each of them is to work; its endpoints are filled in
	// applications keep their connections, else each request has its own, as the client's always has
	Keep bool

	UID func(pod string) string // that each pod has; nil: any

	NodeRules []mesh.Family // of each node
	Known     bool          // these rules know the services, else the nodes get rules for them
	Probes    bool          // these rules want the sets of pods that a node may probe
}

// A Member is a process, and the container that it is in.
type Member struct {
	*mesh.Process
	*mesh.Container
	Pod *mesh.Pod // nil: it is outside
}

// A Deployment is bookinfo in a mesh.
type Deployment struct {
	*mesh.Mesh
	Nodes   []*mesh.Node
	Members []Member // applications, sidecars or ztunnels, the client last

	options Options
	pods    map[string]*mesh.Pod
}

// A podSpec is a pod and its application.
type podSpec struct {
	pod   string
	name  string // of the service, and of the executable
	node  int
	host  int // last part of the address
	port  uint16
	calls []string
	bytes int
	vip   string // the service's address
}

func podSpecs() []podSpec {
	ratings := []string{"http://10.96.1.4:9080/ratings/0"}
	both := []string{"http://10.96.1.2:9080/details/0", "http://10.96.1.3:9080/reviews/0"}
	return []podSpec{
		{"ratings", Ratings, 2, 12, 9080, nil, 48, "10.96.1.4"},
		{"reviews-v1", Reviews, 1, 12, 9080, ratings, 295, "10.96.1.3"},
		{"reviews-v3", Reviews, 2, 13, 9080, ratings, 358, "10.96.1.3"},
		{"details", Details, 2, 11, 9080, nil, 178, "10.96.1.2"},
		{"productpage", Productpage, 1, 11, 9080, both, 5183, "10.96.1.1"},
		// A gateway knows where the pods are, and needs no service.
		{"gateway", Gateway, 1, 20, 8080, []string{"http://10.244.1.11:9080/productpage"}, 5183, "10.96.1.9"},
	}
}

// New makes the mesh, and returns when all of it works or when something does not.
func New(o Options) (*Deployment, error) {
	m, err := mesh.New(o.Mesh)
	if err != nil {
		return nil, err
	}
	w := &Deployment{Mesh: m, options: o, pods: make(map[string]*mesh.Pod)}
	if err := w.build(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Deployment) build() error {
	for i, address := range []string{"172.18.0.3", "172.18.0.4"} {
		node, err := w.Node(fmt.Sprintf("node%d", i+1), i+1, address)
		if err != nil {
			return err
		}
		w.Nodes = append(w.Nodes, node)
	}
	for _, p := range podSpecs() {
		pod, err := w.Nodes[p.node-1].Pod(p.pod, p.host)
		if err != nil {
			return err
		}
		if w.options.UID != nil {
			pod.UID = w.options.UID(p.pod)
		}
		w.pods[p.pod] = pod
	}
	for i, node := range w.Nodes {
		if err := w.rule(node, i); err != nil {
			return err
		}
	}
	for _, p := range podSpecs() {
		if err := w.startPod(p); err != nil {
			return fmt.Errorf("start the pod %s: %w", p.pod, err)
		}
	}
	return errors.Join(w.startZtunnels(), w.startClient())
}

// rule brings the i-th node the rules that are its own.
func (w *Deployment) rule(node *mesh.Node, i int) error {
	if w.options.Probes {
		var pods []*mesh.Pod
		for _, p := range w.pods {
			pods = append(pods, p)
		}
		if err := node.AllowProbes(pods...); err != nil {
			return err
		}
	}
	if i < len(w.options.NodeRules) {
		if err := w.options.NodeRules[i].Load(node.Namespace); err != nil {
			return err
		}
	}
	if w.options.Known {
		return nil
	}
	return node.Serve(w.services()...)
}

// services returns what a node is to know.
func (w *Deployment) services() []mesh.Service {
	var all []mesh.Service
	for _, p := range podSpecs() {
		endpoint := netip.AddrPortFrom(w.pods[p.pod].Addr4, p.port)
		if n := len(all); n > 0 && all[n-1].Address.Addr().String() == p.vip {
			all[n-1].Endpoints = append(all[n-1].Endpoints, endpoint)
			continue
		}
		s := mesh.Service{
			Address: netip.AddrPortFrom(netip.MustParseAddr(p.vip), p.port), Endpoints: []netip.AddrPort{endpoint},
		}
		if p.name == Gateway {
			s.Address = netip.AddrPortFrom(s.Address.Addr(), 80)
			s.NodePort = 30080
		}
		all = append(all, s)
	}
	return all
}

// endpoints returns the same as the configuration of a proxy has it.
func (w *Deployment) endpoints() map[string][]netip.AddrPort {
	all := make(map[string][]netip.AddrPort)
	for _, s := range w.services() {
		all[s.Address.String()] = s.Endpoints
	}
	return all
}

// startPod starts the application of a pod, and its sidecar with the rules that redirect to it.
func (w *Deployment) startPod(p podSpec) error {
	pod := w.pods[p.pod]
	app := program.Role{App: &program.App{Port: p.port, Calls: p.calls, Answer: p.bytes, KeepAlive: w.options.Keep}}
	if err := w.startContainer(pod, mesh.Spec{Name: p.name, Role: app}); err != nil {
		return err
	}
	if w.options.Rules == nil || p.name == Gateway {
		return nil
	}
	if err := w.options.Rules.Load(pod.Namespace); err != nil {
		return err
	}
	if w.options.Ambient {
		return nil
	}
	sidecar := w.options.Sidecar
	sidecar.Endpoints = w.endpoints()
	spec := mesh.Spec{Name: Envoy, Role: program.Role{Sidecar: &sidecar}, ID: mesh.ProxyID}
	if sidecar.Transparent {
		spec.Capabilities = []uintptr{unix.CAP_NET_ADMIN}
	}
	return w.startContainer(pod, spec)
}

// startContainer starts a process in a container of its own.
func (w *Deployment) startContainer(pod *mesh.Pod, s mesh.Spec) error {
	c, err := pod.Container()
	if err != nil {
		return err
	}
	p, err := c.Start(s)
	if err != nil {
		return err
	}
	w.Members = append(w.Members, Member{p, c, pod})
	return nil
}

// startZtunnels starts a ztunnel on each node, for the pods that are in ambient mode.
func (w *Deployment) startZtunnels() error {
	if !w.options.Ambient {
		return nil
	}
	for _, node := range w.Nodes {
		own, err := node.Pod(Ztunnel+"-"+node.Name, 9)
		if err != nil {
			return err
		}
		if w.options.UID != nil {
			own.UID = w.options.UID(own.Name)
		}
		s := mesh.Spec{Name: Ztunnel, Role: program.Role{Ztunnel: &program.Ztunnel{Endpoints: w.endpoints()}}}
		for _, p := range podSpecs() {
			if w.Nodes[p.node-1] == node && p.name != Gateway {
				s.Namespaces = append(s.Namespaces, w.pods[p.pod])
			}
		}
		if err := w.startContainer(own, s); err != nil {
			return err
		}
	}
	return nil
}

// startClient starts the client, outside the cluster.
func (w *Deployment) startClient() error {
	machine, err := w.Outside("outside", "172.18.0.1")
	if err != nil {
		return err
	}
	c, err := machine.Host()
	if err != nil {
		return err
	}
	// it keeps no connection
	p, err := c.Start(mesh.Spec{Name: cmp.Or(w.options.Client, Client), Role: program.Role{App: &program.App{}}})
	if err != nil {
		return err
	}
	w.Members = append(w.Members, Member{p, c, nil})
	return nil
}

// Ask sends requests from outside, through everything.
func (w *Deployment) Ask(times int) error {
	return w.Client().Ask(program.Ask{URL: Front, Times: times})
}

// Client is who sends requests.
func (w *Deployment) Client() Member { return w.Members[len(w.Members)-1] }

// Find returns a pod's member by the name of its executable, or nothing.
func (w *Deployment) Find(pod, name string) (m Member) {
	for _, m := range w.Members {
		if m.Pod != nil && m.Pod.Name == pod && m.Name == name {
			return m
		}
	}
	return m
}

// Proxy returns who speaks for a pod: its sidecar, or its application.
func (w *Deployment) Proxy(pod string) Member {
	if m := w.Find(pod, Envoy); m.Process != nil {
		return m
	}
	for _, p := range podSpecs() {
		if p.pod == pod {
			return w.Find(pod, p.name)
		}
	}
	return Member{}
}

// Service returns the address of a service.
func (w *Deployment) Service(name string) netip.AddrPort {
	for _, p := range podSpecs() {
		if p.name == name {
			return netip.AddrPortFrom(netip.MustParseAddr(p.vip), p.port)
		}
	}
	return netip.AddrPort{}
}

// A Total is what processes have counted together.
type Total struct {
	Connections, Open int
	Closing           int // of those dialled: open, and to be closed soon, as who dialled them keeps none
	Sent, Received    int64
}

// Totals returns what those who dialled have counted, and what those who accepted. An answer may arrive before its
// sender's own call has returned, so they may differ for a moment.
func (w *Deployment) Totals() (dialled, accepted Total, err error) {
	for _, m := range w.Members {
		legs, err := m.Legs()
		if err != nil {
			return dialled, accepted, err
		}
		for _, l := range legs {
			t := &dialled
			switch {
			case l.Accepted:
				t = &accepted
			case !w.keeps(m):
				t.Closing += l.Open
			}
			t.Connections += l.Connections
			t.Open += l.Open
			t.Sent += l.Sent
			t.Received += l.Received
		}
	}
	return dialled, accepted, nil
}

// keeps reports whether a member keeps the connections that it has opened.
func (w *Deployment) keeps(m Member) bool {
	return m != w.Client() && (w.options.Keep || w.options.Sidecar.HTTP && m.Name == Envoy)
}

// Balanced returns an error as long as those who dialled and those who accepted have not counted the same, or a
// connection is still to be closed.
func (w *Deployment) Balanced() error {
	dialled, accepted, err := w.Totals()
	if err != nil {
		return err
	}
	return balance(dialled, accepted)
}

func balance(dialled, accepted Total) error {
	accepted.Sent, accepted.Received = accepted.Received, accepted.Sent
	if dialled != accepted {
		return fmt.Errorf("compare both ends: %+v were dialled, %+v accepted", dialled, accepted)
	}
	return nil
}

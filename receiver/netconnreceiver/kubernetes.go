package netconnreceiver

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
)

// KubernetesConfig is how the API of a cluster is reached, and what is asked of it. The keys that it shares with other components
// have the names that they have there.
type KubernetesConfig struct {
	// AuthType is none (the API is not asked), serviceAccount or kubeConfig.
	AuthType kubernetes.AuthType `mapstructure:"auth_type"`
	// Context is one of the kubeconfig file. Empty: its current one.
	Context string `mapstructure:"context"`
	// KubeAPIQPS and KubeAPIBurst limit the requests for single objects, which there are with scope node.
	KubeAPIQPS   float32 `mapstructure:"kube_api_qps"`
	KubeAPIBurst int     `mapstructure:"kube_api_burst"`
	// Scope is cluster, to watch every pod, or node, to watch those of node_name and to ask for the others as they are met.
	Scope kubernetes.Scope `mapstructure:"scope"`
	// MaxPods bounds the memory; pods beyond it are not known.
	MaxPods int `mapstructure:"max_pods"`
}

func defaultKubernetesConfig() KubernetesConfig {
	return KubernetesConfig{
		AuthType:     kubernetes.AuthNone,
		KubeAPIQPS:   5,
		KubeAPIBurst: 10,
		Scope:        kubernetes.ScopeCluster,
		MaxPods:      50_000,
	}
}

func (c KubernetesConfig) validate(node string) error {
	var errs error
	switch c.AuthType {
	case kubernetes.AuthNone, kubernetes.AuthServiceAccount, kubernetes.AuthKubeConfig:
	default:
		errs = errors.Join(errs, fmt.Errorf("kubernetes::auth_type: must be %s, %s or %s, not %q",
			kubernetes.AuthNone, kubernetes.AuthServiceAccount, kubernetes.AuthKubeConfig, c.AuthType))
	}
	switch c.Scope {
	case kubernetes.ScopeCluster:
	case kubernetes.ScopeNode:
		if node == "" && c.AuthType != kubernetes.AuthNone {
			errs = errors.Join(errs, errors.New("kubernetes::scope: node needs node_name, to know which pods to watch"))
		}
	default:
		errs = errors.Join(errs, fmt.Errorf("kubernetes::scope: must be %s or %s, not %q",
			kubernetes.ScopeCluster, kubernetes.ScopeNode, c.Scope))
	}
	if c.KubeAPIQPS <= 0 {
		errs = errors.Join(errs, fmt.Errorf("kubernetes::kube_api_qps: must be above 0, not %v", c.KubeAPIQPS))
	}
	return errors.Join(errs,
		atLeastOne("kubernetes::kube_api_burst", c.KubeAPIBurst),
		atLeastOne("kubernetes::max_pods", c.MaxPods),
	)
}

// joinCluster begins to watch the cluster, where there is one to be asked.
func joinCluster(c *Config, now func() time.Time) (cluster, error) {
	if c.Kubernetes.AuthType == kubernetes.AuthNone {
		return cluster{}, nil
	}
	k, err := kubernetes.Open(kubernetes.Config{
		AuthType: c.Kubernetes.AuthType,
		Context:  c.Kubernetes.Context,
		Scope:    c.Kubernetes.Scope,
		Node:     c.NodeName,
		MaxPods:  c.Kubernetes.MaxPods,
		QPS:      c.Kubernetes.KubeAPIQPS,
		Burst:    c.Kubernetes.KubeAPIBurst,
	}, now)
	if err != nil {
		return cluster{}, err
	}
	return cluster{
		container: k.Container, pod: k.Pod, address: k.Address, service: k.Service, here: k.Here, synced: k.Synced, faults: k.Faults,
		health: k.Health, close: k.Close,
	}, nil
}

// recognise tells what the cluster knows of the other end, nil if it is not on this machine, of a connection. Settled: no better answer
// will come.
func (p *pipeline) recognise(c conn.Conn, other *conn.End, remote netip.AddrPort, now time.Time) (known conn.Peer, settled bool) {
	switch {
	case !p.cluster.there():
		return conn.Peer{}, true
	case other != nil:
		return p.neighbour(other.Owner)
	case remote.Addr().IsLoopback() || !remote.IsValid():
		return conn.Peer{}, true
	}
	q := kubernetes.Question{Address: remote.Addr(), At: c.Moment, Now: now}
	if c.Role == conn.RoleClient {
		q.Port = remote.Port()
	}
	known, answer := p.cluster.address(q)
	return known, answer == kubernetes.Final
}

// neighbour tells what the cluster knows of an owner on this machine. A container may be older than what the API says of it.
func (p *pipeline) neighbour(o conn.Owner) (known conn.Peer, settled bool) {
	answer := kubernetes.Unknown
	if o.ContainerID != "" {
		known, answer = p.cluster.container(o.ContainerID)
	}
	settled = answer == kubernetes.Final || o.ContainerID == "" && o.PodUID == ""
	if answer == kubernetes.Unknown && o.PodUID != "" {
		known, _ = p.cluster.pod(o.PodUID)
	}
	if known.Zone == "" {
		known.Zone, known.Region = p.cluster.here()
	}
	return known, settled && p.cluster.synced()
}

// destination names what a client asked for.
func (p *pipeline) destination(asked netip.AddrPort) string {
	if p.cluster.there() {
		if name := p.cluster.service(asked); name != "" {
			return name
		}
	}
	return p.peers.Destination(asked.Addr())
}

// zone is that of this machine.
func (p *pipeline) zone() string {
	if !p.cluster.there() {
		return ""
	}
	zone, _ := p.cluster.here()
	return zone
}

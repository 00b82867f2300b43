package netconnreceiver

import (
	"errors"
	"fmt"

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

// options returns it as the pipeline takes it, for the node that this runs on.
func (c KubernetesConfig) options(node string) kubernetes.Config {
	return kubernetes.Config{
		AuthType: c.AuthType,
		Context:  c.Context,
		Scope:    c.Scope,
		Node:     node,
		MaxPods:  c.MaxPods,
		QPS:      c.KubeAPIQPS,
		Burst:    c.KubeAPIBurst,
	}
}

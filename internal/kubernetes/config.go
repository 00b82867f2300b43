package kubernetes

import (
	"errors"
	"fmt"
)

// Defaults are the values of a configuration that names none.
func Defaults() Config {
	return Config{AuthType: AuthNone, Scope: ScopeCluster, MaxPods: 50_000, QPS: 5, Burst: 10}
}

// Check returns an error for each key that is wrong, and names the key in it.
func (c Config) Check() error {
	return errors.Join(
		c.checkAuthType(),
		c.checkScope(),
		c.checkUnused(),
		c.checkRates(),
	)
}

// checkUnused refuses keys that have no effect: with one of them, the user expects the API to be used.
func (c Config) checkUnused() error {
	if c.AuthType == AuthNone && c.Scope == ScopeNode {
		return errors.New("kubernetes::scope: has no effect without auth_type, which is none")
	}
	if c.AuthType == AuthNone && c.Context != "" {
		return errors.New("kubernetes::context: has no effect without auth_type, which is none")
	}
	if c.AuthType == AuthServiceAccount && c.Context != "" {
		return errors.New("kubernetes::context: is of a kubeconfig file, but auth_type is serviceAccount")
	}
	return nil
}

func (c Config) checkAuthType() error {
	switch c.AuthType {
	case AuthNone, AuthServiceAccount, AuthKubeConfig:
		return nil
	}
	return fmt.Errorf("kubernetes::auth_type: must be %s, %s or %s, not %q", AuthNone, AuthServiceAccount,
		AuthKubeConfig, c.AuthType)
}

func (c Config) checkScope() error {
	switch {
	case c.Scope == ScopeNode && c.Node == "" && c.AuthType != AuthNone:
		return errors.New("kubernetes::scope: node needs node_name, to know which pods to watch")
	case c.Scope == ScopeNode, c.Scope == ScopeCluster:
		return nil
	}
	return fmt.Errorf("kubernetes::scope: must be %s or %s, not %q", ScopeCluster, ScopeNode, c.Scope)
}

func (c Config) checkRates() error {
	var errs error
	if c.QPS <= 0 {
		errs = errors.Join(errs, fmt.Errorf("kubernetes::kube_api_qps: must be above 0, not %v", c.QPS))
	}
	if c.Burst < 1 {
		errs = errors.Join(errs, fmt.Errorf("kubernetes::kube_api_burst: must be at least 1, not %d", c.Burst))
	}
	if c.MaxPods < 1 {
		errs = errors.Join(errs, fmt.Errorf("kubernetes::max_pods: must be at least 1, not %d", c.MaxPods))
	}
	return errs
}

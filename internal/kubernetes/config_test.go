package kubernetes

import "testing"

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"the defaults": {func(*Config) {}, ""},
		"scope node":   {func(c *Config) { c.Scope, c.Node, c.AuthType = ScopeNode, "node-1", AuthServiceAccount }, ""},
		"context":      {func(c *Config) { c.Context, c.AuthType = "lab", AuthKubeConfig }, ""},
		"scope node, without an API": {
			func(c *Config) { c.Scope = ScopeNode },
			"kubernetes::scope: has no effect without auth_type, which is none",
		},
		"context, without an API": {
			func(c *Config) { c.Context = "lab" },
			"kubernetes::context: has no effect without auth_type, which is none",
		},
		"context, without a kubeconfig": {
			func(c *Config) { c.Context, c.AuthType = "lab", AuthServiceAccount },
			"kubernetes::context: is of a kubeconfig file, but auth_type is serviceAccount",
		},
		"auth_type": {
			func(c *Config) { c.AuthType = "tls" },
			`kubernetes::auth_type: must be none, serviceAccount or kubeConfig, not "tls"`,
		},
		"scope": {
			func(c *Config) { c.Scope = "pod" },
			`kubernetes::scope: must be cluster or node, not "pod"`,
		},
		"scope node, without a name": {
			func(c *Config) { c.Scope, c.AuthType = ScopeNode, AuthKubeConfig },
			"kubernetes::scope: node needs node_name, to know which pods to watch",
		},
		"rates": {
			func(c *Config) { c.QPS, c.Burst, c.MaxPods = 0, 0, 0 },
			"kubernetes::kube_api_qps: must be above 0, not 0\nkubernetes::kube_api_burst: must be at least 1, not 0\n" +
				"kubernetes::max_pods: must be at least 1, not 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := Defaults()
			c.change(&config)
			got := ""
			if err := config.Check(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

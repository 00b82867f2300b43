package kubernetes

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/netconn/netconn/internal/names"
)

// containerProxy returns the purpose of a container that is a proxy.
func containerProxy(p *corev1.Pod, c *corev1.Container) names.Proxy {
	return names.Proxy(names.ProxyOf(names.Evidence{Container: c.Name, Arguments: c.Args, Label: labelOf(p)}))
}

// podProxy returns the purpose of a pod that is a proxy as a whole.
func podProxy(p *corev1.Pod) names.Proxy {
	return names.Proxy(names.ProxyOf(names.Evidence{Label: labelOf(p)}))
}

func labelOf(p *corev1.Pod) func(key string) (string, bool) {
	return func(key string) (string, bool) {
		value, ok := p.Labels[key]
		return value, ok
	}
}

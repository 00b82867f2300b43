package alerts

import (
	"fmt"
	"maps"
	"slices"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A rule is the labels that name one property of an end, and the tags that hold it.
type rule struct {
	tags   []names.Tag
	labels []string
}

// defaults are the rules, the most exact first. The first rule with a label decides which ends an alert is about:
// an alert about a pod often has the service and the node of the exporter that saw it.
var defaults = []rule{
	{[]names.Tag{names.TagContainerID}, []string{"container_id"}},
	{[]names.Tag{names.TagPodUID}, []string{"pod_uid", "k8s_pod_uid"}},
	{[]names.Tag{names.TagPod}, []string{"pod", "k8s_pod_name", "pod_name"}},
	{[]names.Tag{names.TagWorkload}, []string{
		"workload", "deployment", "statefulset", "daemonset", "cronjob", "job_name", "k8s_workload_name",
		"k8s_deployment_name", "k8s_statefulset_name", "k8s_daemonset_name", "k8s_cronjob_name", "k8s_job_name",
	}},
	{[]names.Tag{names.TagService, names.TagName}, []string{"service_name", "service"}},
	{[]names.Tag{names.TagNode, names.TagHost}, []string{"node", "k8s_node_name", "nodename", "host_name", "host"}},
	{[]names.Tag{names.TagContainer}, []string{"container", "k8s_container_name"}},
	{[]names.Tag{names.TagNamespace}, []string{"namespace", "k8s_namespace_name"}},
}

// contexts are labels that never decide before another one. An end that has the tag must have the same value.
var contexts = []rule{
	{[]names.Tag{names.TagNamespace}, []string{"namespace", "k8s_namespace_name"}},
	{[]names.Tag{names.TagContainer}, []string{"container", "k8s_container_name"}},
	{[]names.Tag{names.TagCluster}, []string{"cluster", "k8s_cluster_name"}},
}

// Rules say which labels of alerts are which tags of ends.
type Rules struct{ deciding, contexts []rule }

// NewRules adds labels to the usual ones, by the name of the tag. They count before the usual ones. A tag that usually
// decides nothing decides before the namespace.
func NewRules(labels map[string][]string) (*Rules, error) {
	r := &Rules{deciding: slices.Clone(defaults), contexts: slices.Clone(contexts)}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		tag, known := names.ParseTag(name)
		if !known {
			return nil, fmt.Errorf("%q is no tag of an end", name)
		}
		known = prepend(r.contexts, tag, labels[name])
		if prepend(r.deciding, tag, labels[name]) || known {
			continue
		}
		last := len(r.deciding) - 1
		r.deciding = slices.Insert(r.deciding, last, rule{[]names.Tag{tag}, labels[name]})
	}
	return r, nil
}

// prepend adds labels to the rule of a tag, and reports whether there is one.
func prepend(rules []rule, tag names.Tag, labels []string) bool {
	i := slices.IndexFunc(rules, func(r rule) bool { return r.tags[0] == tag })
	if i >= 0 {
		rules[i].labels = slices.Concat(labels, rules[i].labels)
	}
	return i >= 0
}

// A target says which ends an alert is about: those with the value in one of the tags. The contexts must agree.
type target struct {
	tags     []names.Tag
	value    edge.Value
	contexts []pair
}

// pair is a tag with its value.
type pair struct {
	tag   names.Tag
	value edge.Value
}

// target returns what the labels of an alert are about; the zero target: no end.
func (r *Rules) target(labels map[string]string) target {
	for _, d := range r.deciding {
		value := d.value(labels)
		if value == (edge.Value{}) {
			continue
		}
		t := target{tags: d.tags, value: value}
		for _, c := range r.contexts {
			// The namespace and the container of an alert about a node are those of the exporter.
			exporters := d.tags[0] == names.TagNode && c.tags[0] != names.TagCluster
			if v := c.value(labels); v != (edge.Value{}) && c.tags[0] != d.tags[0] && !exporters {
				t.contexts = append(t.contexts, pair{c.tags[0], v})
			}
		}
		return t
	}
	return target{}
}

func (r rule) value(labels map[string]string) edge.Value {
	for _, name := range r.labels {
		if labels[name] != "" {
			return edge.Text(labels[name])
		}
	}
	return edge.Value{}
}

// agrees reports whether the contexts of the target are those of the end, as far as the end has them.
func (t *target) agrees(e *edge.End) bool {
	for _, c := range t.contexts {
		if e.Has(c.tag) && e[c.tag] != c.value {
			return false
		}
	}
	return true
}

func (t *target) about() About {
	if len(t.tags) == 0 {
		return About{}
	}
	return About{t.tags[0].String(), t.value.String()}
}

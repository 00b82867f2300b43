package kubernetes

import (
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The labels and annotations that name a service, by the semantic conventions for Kubernetes.
const (
	labelName           = "app.kubernetes.io/name"
	labelInstance       = "app.kubernetes.io/instance"
	annotationName      = "resource.opentelemetry.io/service.name"
	annotationNamespace = "resource.opentelemetry.io/service.namespace"
	labelTemplateHash   = "pod-template-hash"
)

// workload is the object that created a pod.
type workload struct{ name, kind string }

// controller returns the workload that controls a pod: the Deployment of its ReplicaSet, the CronJob of its Job, else
// the controller itself. A static pod has none: its kubelet created it from a file, and names the node as the
// controller.
func controller(p *corev1.Pod) workload {
	ref := metav1.GetControllerOfNoCopy(p)
	if ref == nil || ref.Kind == "Node" {
		return workload{}
	}
	switch ref.Kind {
	case "ReplicaSet":
		if name := deploymentOf(ref.Name, p.Labels[labelTemplateHash]); name != "" {
			return workload{name, "Deployment"}
		}
	case "Job":
		if name := cronJobOf(ref.Name, p); name != "" {
			return workload{name, "CronJob"}
		}
	}
	return workload{ref.Name, ref.Kind}
}

// deploymentOf returns the name of the Deployment that created a ReplicaSet, or nothing if none did. A Deployment names
// a ReplicaSet after itself and the hash that it puts on the pods.
func deploymentOf(replicaSet, hash string) string {
	if hash == "" {
		return ""
	}
	name, found := strings.CutSuffix(replicaSet, "-"+hash)
	if !found {
		return ""
	}
	return name
}

// scheduledJob matches the name that a CronJob gives to a Job: its own name, and the minute since 1970 at which the Job
// was due.
var scheduledJob = regexp.MustCompile(`^(.*)-(\d{8})$`)

// cronJobSkew is how far, in minutes, that minute can be from the creation of the pod. A number that is farther off has
// another meaning: it may be a date.
const cronJobSkew = 24 * 60

// cronJobOf returns the name of the CronJob that created a Job, or nothing if none did.
func cronJobOf(job string, p *corev1.Pod) string {
	parts := scheduledJob.FindStringSubmatch(job)
	if parts == nil {
		return ""
	}
	due, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return ""
	}
	if skew := p.CreationTimestamp.Unix()/60 - due; skew < -cronJobSkew || skew > cronJobSkew {
		return ""
	}
	return parts[1]
}

// serviceName returns the service.name that the k8s_attributes processor gives to the pod's telemetry, with
// otel_annotations: the annotation, else the labels, else the last of its owners, else the pod.
func serviceName(p *corev1.Pod) string {
	if name, ok := p.Annotations[annotationName]; ok {
		return name
	}
	for _, label := range []string{labelInstance, labelName} {
		if name, ok := p.Labels[label]; ok {
			return name
		}
	}
	name := p.Name
	for _, ref := range p.OwnerReferences {
		switch ref.Kind {
		case "ReplicaSet":
			if name = deploymentOf(ref.Name, p.Labels[labelTemplateHash]); name == "" {
				name = ref.Name
			}
		case "Job":
			if name = cronJobOf(ref.Name, p); name == "" {
				name = ref.Name
			}
		case "DaemonSet", "StatefulSet":
			name = ref.Name
		}
	}
	return name
}

// serviceNamespace returns the service.namespace that the processor gives to the pod's telemetry.
func serviceNamespace(p *corev1.Pod) string {
	if name, ok := p.Annotations[annotationNamespace]; ok {
		return name
	}
	return p.Namespace
}

// groupName returns the name to group by. The name of a static pod ends with its node; without the node, its copies on
// all nodes have one name.
func groupName(p *corev1.Pod, w workload) string {
	if w.name != "" {
		return w.name
	}
	if ref := metav1.GetControllerOfNoCopy(p); ref != nil && ref.Kind == "Node" {
		return strings.TrimSuffix(p.Name, "-"+p.Spec.NodeName)
	}
	return serviceName(p)
}

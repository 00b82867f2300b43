//go:build linux

package cgroup

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// The paths that runtimes give to containers, below the root of the hierarchy.

// SystemdPod is the path of a pod's container with containerd and the systemd cgroup driver.
func SystemdPod(uid, id string) string {
	return fmt.Sprintf("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice/cri-containerd-%s.scope",
		strings.ReplaceAll(uid, "-", "_"), id)
}

// CgroupfsPod is the path of a pod's container with the cgroupfs driver.
func CgroupfsPod(uid, id string) string { return fmt.Sprintf("kubepods/besteffort/pod%s/%s", uid, id) }

// Docker is the path of a container of Docker with the systemd driver.
func Docker(id string) string { return "system.slice/docker-" + id + ".scope" }

// NewID returns the id of a container: 64 hexadecimal digits, never the same twice.
func NewID() string { return fmt.Sprintf("%x", random(32)) }

// NewUID returns the UID of a pod, never the same twice.
func NewUID() string {
	b := random(16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

//go:build linux

package node

import (
	"bufio"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testcluster"
)

// An edge is the traffic from a client to a server, as one of both ends has it.
type edge struct{ Role, Client, Server string }

// Each service of the applications stands for one container.
var servers = map[string]string{
	"web": "web/front", "store": "store/db", "bare": "bare/bare", "static": "static/static", "hostnet": "hostnet/hostnet",
}

// suffix is what controllers add to the names of pods.
var suffix = regexp.MustCompile(`^(web|store|report|static|load)-.*$`)

// place is where each end is.
const place = " in " + testcluster.NodeZone

// workload returns WORKLOAD/CONTAINER for POD/CONTAINER.
func workload(owner string) string {
	pod, container, _ := strings.Cut(owner, "/")
	return suffix.ReplaceAllString(pod, "$1") + "/" + container
}

// counted adds up what the clients have counted: bytes sent and received for each edge. A server has the same with the
// directions swapped.
func counted(t *testing.T, folder string) map[edge][2]int64 {
	t.Helper()
	edges := make(map[edge][2]int64)
	files, err := filepath.Glob(filepath.Join(folder, "*_*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		for _, c := range clients(t, path) {
			name, _, _ := strings.Cut(c.Asked, ":")
			// A server that ended before it answered is v1, as all are but web for a while.
			client, server := workload(c.Owner)+":"+c.Tag+place, servers[name]+":"+cmp.Or(c.ServerTag, "v1")+place
			add(edges, edge{"client", client, server}, c.Sent, c.Received)
			add(edges, edge{"server", client, server}, c.Received, c.Sent)
		}
	}
	return edges
}

// call is what the client of a connection has counted.
type call struct {
	Owner, Role, Asked, Tag, ServerTag string
	Sent, Received                     int64
}

// clients returns the clients' lines of a journal.
func clients(t *testing.T, path string) (all []call) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if c.Role == "client" {
			all = append(all, c)
		}
	}
	return all
}

func add(edges map[edge][2]int64, e edge, sent, received int64) {
	edges[e] = [2]int64{edges[e][0] + sent, edges[e][1] + received}
}

// reported adds up what has arrived at the backend of the applications' edges. Connections that failed have no bytes,
// and may have no container.
func reported(all []series) map[edge][2]int64 {
	edges := make(map[edge][2]int64)
	for _, s := range all {
		if s.resource["k8s.namespace.name"] != "shop" && s.point["netconn.peer.k8s.namespace.name"] != "shop" {
			continue
		}
		if s.bytes == 0 {
			continue
		}
		r, p := s.resource, s.point
		own := cmp.Or(r["k8s.deployment.name"], r["k8s.statefulset.name"], r["k8s.cronjob.name"], r["k8s.job.name"], pod(r["k8s.pod.name"]), "?")
		own += "/" + r["k8s.container.name"] + ":" + r["container.image.tag"]
		own += " in " + r["cloud.availability_zone"]
		peer := cmp.Or(pod(p["netconn.peer.k8s.workload.name"]), pod(p["netconn.peer.name"]), "?"+p["netconn.peer.type"])
		peer += "/" + p["netconn.peer.container.name"] + ":" + p["netconn.peer.container.image.tag"]
		peer += " in " + p["netconn.peer.zone"]
		e := edge{s.point["netconn.role"], own, peer}
		if e.Role == "server" {
			e.Client, e.Server = peer, own
		}
		if s.point["network.io.direction"] == "transmit" {
			add(edges, e, s.bytes, 0)
		} else {
			add(edges, e, 0, s.bytes)
		}
	}
	return edges
}

// pod returns the name of a pod without controller; to that of a static pod the kubelet adds the name of the node.
func pod(name string) string { return strings.TrimSuffix(name, "-"+testcluster.NodeName) }

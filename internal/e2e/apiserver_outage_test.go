//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testcluster"
)

// awayFor is how long the API server is away.
const awayFor = time.Minute

// backAfter is the longest time after which all is watched again: each watch ends a pause, hears that what it has
// missed is not known any more, and makes another pause before it asks for the list. A pause is 60 s at most.
const backAfter = 3 * time.Minute

// The API server is killed, and is away for a minute. Meanwhile collections go on, with the names that were known
// before; the log (once for each kind of objects), the component's status and a metric say so. When it is back, an
// address is another pod's: what was connected before keeps the old name, what is connected since has the new one, and
// of what began between no pod is named that may have been another.
func TestClusterAway(t *testing.T) {
	t.Parallel() // it reads its own connections only, so another test may use the same addresses
	c := testcluster.New(t)
	x := &absence{testbed: newKnownTestbed(t, c), signals: newSignals(t), want: make(map[string]int64)}
	c.Pod(stockObject("stock"))
	for _, port := range absencePorts {
		synproxy(x.testbed, x.pod[1].Namespace, int(port))
	}
	a := runAgent(t, c.KubeConfig("agent", c.Admin), x.signals, describedFlows)
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })
	x.await(t)
	x.open("old", stockPeer("stock"))
	x.settle(t, x.want, x.reported)

	c.Namespace("other") // is not watched: so what has changed since the last report is more than the server knows when it is back
	c.Stop()
	killed := time.Now()
	until(t, "no watch", func() bool { return len(a.connected()) == 0 })
	x.open("meanwhile", unnamed)
	for time.Since(killed) < awayFor {
		x.move("old", stockPeer("stock"))
		x.move("meanwhile", unnamed)
		x.settle(t, x.want, x.reported)
	}
	a.wantAway(t)

	c.Start()
	c.Delete(space, "stock-0")
	c.Pod(stockObject("cart"))
	x.open("early", unnamed)
	if !pollFor(backAfter, func() bool { return slices.Equal(a.connected(), watched) }) {
		t.Fatalf("only %v are watched again", a.connected())
	}
	x.open("new", stockPeer("cart"))
	x.move("old", stockPeer("stock"))
	x.settle(t, x.want, x.reported)
	until(t, "a name for what began before it was back", func() bool {
		x.move("early", unnamed)
		return x.sum("netconn.io", x.end)["9082 "+stockPeer("cart")+" receive"] > 0
	})
	x.settle(t, x.want, x.reported)
	until(t, "the good news", func() bool { return !slices.ContainsFunc(watched, a.away) })
}

// An absence is what goes on beside an API server that is not always there: the shop is connected to the pod of the
// stock, each time at another port.
type absence struct {
	*testbed
	*signals
	want map[string]int64 // bytes that the shop is to report, by the other end and the direction
}

var absencePorts = map[string]uint16{"old": 9080, "meanwhile": 9081, "early": 9082, "new": 9083}

// unnamed is a peer that is known by its address only.
const unnamed = "private remote - -"

func stockPeer(workload string) string { return "pod remote " + workload + " zone-b" }

// stockObject is a pod that has the address of the stock's.
func stockObject(workload string) string {
	return fmt.Sprintf(`
metadata: {name: %[1]s-0, namespace: %s, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: %[1]s, uid: "0", controller: true}]}
spec: {nodeName: node2, containers: [{name: %[1]s, image: "example.com/%[1]s:v1"}]}
status: {phase: Running, startTime: %[3]q, podIP: %s, podIPs: [{ip: %[4]s}]}`, workload, space, time.Now().UTC().Format(time.RFC3339), stockAddr)
}

// open has the shop connect, and move some bytes.
func (x *absence) open(name, peer string) {
	x.t.Helper()
	to := at(stockAddr, absencePorts[name])
	x.stock.ensure(to.String())
	dialAndExchange(x.shop, x.stock, name, to, to)
	x.count(name, peer, 1000, 20_000)
}

// move moves some more bytes.
func (x *absence) move(name, peer string) {
	x.t.Helper()
	exchange(x.shop.driver, x.stock.driver, name, 100, 300)
	x.count(name, peer, 100, 300)
}

func (x *absence) count(name, peer string, there, back int64) {
	end := fmt.Sprint(absencePorts[name], " ", peer)
	x.want[end+" transmit"] += there
	x.want[end+" receive"] += back
}

// end names a series of the shop by the other end.
func (x *absence) end(n number) string {
	if n.resource["container.id"] != x.shop.id || n.point["netconn.role"] != "client" {
		return ""
	}
	return n.point.of("server.port", "netconn.peer.type", "netconn.peer.scope", "netconn.peer.name", "netconn.peer.zone", "network.io.direction")
}

// reported returns the bytes that the shop reports. What it is connected to early gets its name later: what was reported until
// then stays where it is.
func (x *absence) reported() map[string]int64 {
	early := fmt.Sprint(absencePorts["early"], " ")
	return x.sum("netconn.io", func(n number) string { return strings.Replace(x.end(n), early+stockPeer("cart"), early+unnamed, 1) })
}

// wantAway checks what an agent reports while the API server is not there.
func (a *agent) wantAway(t *testing.T) {
	t.Helper()
	if kinds := a.connected(); len(kinds) > 0 {
		t.Errorf("%v are watched", kinds)
	}
	for _, kind := range watched {
		if n := a.count("Something does not work.", "watch "+kind+" in the Kubernetes API (without: "); n != 1 {
			t.Errorf("%d sentences on %s, want one", n, kind)
		}
	}
	s := a.status(t)["receiver:netconn"]
	if s.Status != "StatusRecoverableError" || !strings.Contains(s.Error, "watch pods in the Kubernetes API") {
		t.Errorf("the status is %+v", s)
	}
}

// away reports whether the log has not said yet that a watch works again, after each time that it did not: the server
// may refuse the first one when it is back, because it no longer knows the version that the watch begins with.
func (a *agent) away(kind string) bool {
	good, bad := a.count("It works again.", `"about": "`+kind+`"`), a.count("Something does not work.", "watch "+kind+" in ")
	return good == 0 || good != bad
}

// count returns the number of lines of the log with a sentence about something. It may have the same sentence about
// other things: the agent reads the whole host, and so what other tests do meanwhile.
func (a *agent) count(sentence, about string) (n int) {
	for line := range strings.Lines(a.Log()) {
		if strings.Contains(line, sentence) && strings.Contains(line, about) {
			n++
		}
	}
	return n
}

// A status is what a component says of itself.
type status struct {
	Status, Error string
	Components    map[string]status
}

// status asks the health check for the components of the pipeline of connections.
func (a *agent) status(t *testing.T) map[string]status {
	t.Helper()
	answer, err := http.Get("http://" + a.health + "/?verbose")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var s status
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the health check: %s, %v", answer.Status, err)
	}
	return s.Components["pipeline:metrics/netconn"].Components
}

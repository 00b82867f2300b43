package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

const podUID = "8f0c1a52-5f7e-4b1e-9d0e-0c2d4e6f8a10"

var containerID = strings.Repeat("5f70", 16)

// An apiserver is a source that has pods.
type apiserver struct {
	registrar
	pods    map[string]bool
	answers bool
	asked   int // about pods
}

func (a *apiserver) Believe(o conn.Owner, _ time.Time) (conn.Owner, conn.Answer) {
	a.asked++
	switch {
	case !a.answers:
		return o, conn.Unknown
	case !a.pods[o.PodUID]:
		o.PodUID = ""
	}
	return o, conn.Final
}

const podPath = "/kubepods.slice/kubepods-pod8f0c1a52_5f7e_4b1e_9d0e_0c2d4e6f8a10.slice"

// inPod is a machine with a connection of a pod's container, by its cgroup.
func inPod(t *testing.T) (*scripted, *Pipeline, *apiserver, conn.Conn) {
	t.Helper()
	return inCgroup(t, podPath+"/cri-containerd-"+containerID+".scope")
}

func inCgroup(t *testing.T, path string) (*scripted, *Pipeline, *apiserver, conn.Conn) {
	t.Helper()
	s := &scripted{}
	p := s.open(t)
	api := &apiserver{registrar: registrar{containers: map[string]bool{}}, pods: map[string]bool{}, answers: true}
	p.sources = Sources{api}
	p.owners.Learn(conn.Cgroup{ID: 5, Path: path})
	c := dialled(1, conn.Open)
	c.Process = conn.Process{PID: 4711, Cgroup: 5, Executable: "curl"}
	return s, p, api, c
}

// sentBy returns the bytes that each pod and container has sent, by a collection.
func sentBy(t *testing.T, s *scripted, p *Pipeline, d time.Duration) map[introduction]uint64 {
	t.Helper()
	s.now = s.now.Add(d)
	resources, err := p.Collect(s.now)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(map[introduction]uint64)
	for _, r := range resources {
		for _, f := range r.Flows {
			sent[introductionOf(r.Owner)] += f.Counts[conn.Sent]
		}
	}
	return sent
}

// A cgroup names a pod that the API does not have. The container is reported without it, until the API has the pod: what
// is sent from then on is the pod's. Nothing is counted twice, and the owner once.
func TestPodThatTheAPIDoesNotHave(t *testing.T) {
	s, p, api, c := inPod(t)
	anonymous, known := introduction{container: containerID}, introduction{containerID, podUID}
	c.Counts[conn.Sent] = 100
	s.live = []conn.Conn{c}
	if got := sentBy(t, s, p, time.Second); len(got) != 0 {
		t.Errorf("while the API may still report the pod: %v", got)
	}
	want := map[introduction]uint64{anonymous: 100}
	if diff := cmp.Diff(want, sentBy(t, s, p, Patience)); diff != "" {
		t.Errorf("the API does not have the pod (-want +got):\n%s", diff)
	}
	c.Counts[conn.Sent] = 110
	s.live = []conn.Conn{c}
	want[anonymous] = 110
	if diff := cmp.Diff(want, sentBy(t, s, p, 10*time.Second)); diff != "" {
		t.Errorf("and still not (-want +got):\n%s", diff)
	}
	api.pods[podUID], api.containers[containerID] = true, true
	c.Counts[conn.Sent] = 130
	s.live = []conn.Conn{c}
	want[known] = 20
	if diff := cmp.Diff(want, sentBy(t, s, p, 10*time.Second)); diff != "" {
		t.Errorf("once the API has the pod (-want +got):\n%s", diff)
	}
	if h, err := p.Health(); err != nil || h.Contradicted != 1 || len(p.believed.refused) != 0 {
		t.Errorf("%d owners counted, %d kept, %v", h.Contradicted, len(p.believed.refused), err)
	}
	before := api.asked
	sentBy(t, s, p, 10*time.Second)
	if api.asked != before {
		t.Errorf("a known pod: asked %d times more", api.asked-before)
	}
}

// A pod that has just started is not in the first answers. Its first connection waits, and then has its whole identity.
func TestPodThatHasJustStarted(t *testing.T) {
	for path, want := range map[string]introduction{
		podPath: {pod: podUID},
		podPath + "/cri-containerd-" + containerID + ".scope": {containerID, podUID},
	} {
		s, p, api, c := inCgroup(t, path)
		c.Counts[conn.Sent] = 100
		s.live = []conn.Conn{c}
		sentBy(t, s, p, time.Second)
		api.pods[podUID], api.containers[containerID] = true, true
		if diff := cmp.Diff(map[introduction]uint64{want: 100}, sentBy(t, s, p, 500*time.Millisecond)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// An API that does not answer contradicts nothing.
func TestPodWhileTheAPIDoesNotAnswer(t *testing.T) {
	s, p, api, c := inPod(t)
	api.answers = false
	c.Counts[conn.Sent] = 100
	s.live = []conn.Conn{c}
	sentBy(t, s, p, time.Second)
	want := map[introduction]uint64{{containerID, podUID}: 100}
	if diff := cmp.Diff(want, sentBy(t, s, p, 2*Patience)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Events and listeners have the owner that is believed, and the peer of a forged pod does not have its name.
func TestEventsOfAPodThatTheAPIDoesNotHave(t *testing.T) {
	s, p, api, c := inPod(t)
	p.WantEvents(true)
	c.Phase = conn.Closed
	s.reports = []conn.Conn{c}
	s.pass(t, p, DrainInterval)
	s.pass(t, p, Patience)
	events := p.Events(s.now)
	if len(events) != 1 || events[0].Conn.Owner.PodUID != "" || events[0].Conn.Owner.ContainerID != containerID {
		t.Errorf("events: %+v", events)
	}
	server := c
	server.Role, server.ID.Cookie, server.Owner = conn.RoleServer, 2, conn.Owner{PodUID: podUID, ContainerID: containerID}
	if got, settled := p.believe(server.Owner, s.now); got.PodUID != "" || settled {
		t.Errorf("believed: %+v, settled: %t", got, settled)
	}
	p.introduced(server.Owner)
	if _, known := p.known[introductionOf(server.Owner)]; known {
		t.Error("a pod that is contradicted is known")
	}
	if gone := p.believed.gone(server.Owner); gone.PodUID != "" || len(p.believed.refused) != 1 {
		t.Errorf("gone: %+v, %d left", gone, len(p.believed.refused))
	}
	api.pods[podUID] = true
	if got, settled := p.believe(server.Owner, s.now); got != server.Owner || !settled {
		t.Errorf("a pod that the API has: %+v, settled: %t", got, settled)
	}
}

// What is kept of refused owners is bounded; those beyond are refused as well.
func TestRefusedOwnersAreBounded(t *testing.T) {
	b := believed{refused: make(map[conn.Owner]conn.Owner)}
	for pid := range maxRefused + 5 {
		b.refuse(conn.Owner{PodUID: podUID, Executable: string(rune(pid))}, conn.Owner{})
	}
	if len(b.refused) != maxRefused || b.count != maxRefused+5 {
		t.Errorf("%d kept, %d counted", len(b.refused), b.count)
	}
}

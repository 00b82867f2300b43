package logs

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.yaml.in/yaml/v3"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
)

// TestMetadataOfEvents compares the events of connections that are fully known with metadata.yaml.
func TestMetadataOfEvents(t *testing.T) {
	var want struct {
		Attributes map[string]struct{ Type string }
		Events     map[string]struct{ Attributes []string }
	}
	text, err := os.ReadFile("../../metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	attributes := make(map[string]map[string]string)
	for name, e := range want.Events {
		attributes[name] = make(map[string]string)
		for _, key := range e.Attributes {
			attributes[name][key] = want.Attributes[key].Type
		}
	}
	got := make(map[string]map[string]string)
	for _, phase := range []conn.Phase{conn.Closed, conn.Failed, conn.Open} {
		e := knownEvent(phase)
		lr := plog.NewLogRecord()
		write(&e, lr)
		got[lr.EventName()] = make(map[string]string)
		for key, v := range lr.Attributes().All() {
			got[lr.EventName()][key] = map[pcommon.ValueType]string{
				pcommon.ValueTypeStr: "string", pcommon.ValueTypeInt: "int", pcommon.ValueTypeDouble: "double",
			}[v.Type()]
		}
	}
	if diff := cmp.Diff(attributes, got); diff != "" {
		t.Errorf("(-metadata.yaml +emitted):\n%s", diff)
	}
}

func knownEvent(p conn.Phase) pipeline.Event {
	k := flowtest.Key()
	why, reason := pipeline.NoTrigger, conn.Reset
	if p == conn.Open {
		why, reason = pipeline.Periodic, conn.NoError
	}
	return pipeline.Event{
		Trigger: why,
		Conn: conn.Conn{
			Socket: conn.Socket{
				Tuple: conn.Tuple{Source: k.Local, Destination: k.Remote}, Role: conn.RoleClient,
				Phase: p, Error: reason,
			},
			Timing: conn.Timing{Handshake: 1, Age: 1, RTT: 1},
			Counts: conn.Counts{conn.LimitedByReceiver: 1, conn.LimitedByBuffer: 1, conn.Timeouts: 1},
		},
		Identity: pipeline.Identity{
			Peer: k.Peer, NAT: k.NAT, Original: k.Original, Server: k.Remote, Client: k.Local,
			Port: k.ServerPort,
		},
	}
}

package metrics

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
)

func never(string) bool { return false }

// What metadata.yaml recommends is the level container, so the documentation of each metric is true of the default.
func TestDefaultIsContainer(t *testing.T) {
	want := settings(DefaultConfig().Metrics)
	c := DefaultConfig().Metrics
	Enable(&c, attributes.Full, never)
	Enable(&c, attributes.Container, never)
	for name, got := range settings(c) {
		slices.Sort(got.keys)
		wanted := slices.Sorted(slices.Values(want[name].keys))
		if diff := cmp.Diff(wanted, got.keys); diff != "" {
			t.Errorf("%s (-metadata.yaml +container):\n%s", name, diff)
		}
	}
}

// Enable leaves what is not an attribute of flows, and the metrics that have a list or a purpose of their own.
func TestEnable(t *testing.T) {
	c := DefaultConfig().Metrics
	Enable(&c, attributes.With(names.Role, names.ServerPort, names.PeerZone), func(metric string) bool {
		return metric == names.RTT
	})
	before := settings(DefaultConfig().Metrics)
	for name, want := range map[string][]string{
		names.IO:          {"network.io.direction", "netconn.peer.zone", "netconn.role", "server.port"},
		names.Attempts:    {"error.type", "netconn.peer.zone", "netconn.role", "server.port"},
		names.Active:      {"netconn.peer.zone", "netconn.role", "server.port"},
		names.ListenDrops: {"server.port"},
		names.ZoneIO:      before[names.ZoneIO].keys,
		names.RTT:         before[names.RTT].keys,
	} {
		if diff := cmp.Diff(want, settings(c)[name].keys); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := c.NetconnIo.Validate(); err != nil {
		t.Error(err)
	}
}

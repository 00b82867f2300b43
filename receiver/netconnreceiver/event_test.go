package netconnreceiver

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// TestEvents plays the story of in.yaml, and compares the events of all collections with want.yaml.
func TestEvents(t *testing.T) {
	folders, err := filepath.Glob("testdata/events/*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no cases", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			_, logs := play(t, readStory(t, filepath.Join(folder, "in.yaml")))
			file := filepath.Join(t.TempDir(), "got.yaml")
			err := golden.WriteLogsToFile(file, logs)
			got, readErr := os.ReadFile(file)
			if err := errors.Join(err, readErr); err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join(folder, "want.yaml"), string(got))
		})
	}
}

func closedConn(cookie uint64) conn.Conn {
	return conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: cookie}, Phase: conn.Closed, Role: conn.RoleClient}}
}

// TestEventsMeetBeforeExpiry drains two ends long before the next collection, which forgets them.
func TestEventsMeetBeforeExpiry(t *testing.T) {
	r := newRig(t)
	r.scraper.config.Events.Enabled = true
	r.sockets.Drain = func(h kernel.Handler) error {
		client := closedConn(1)
		client.Tuple.Destination = netip.MustParseAddrPort("10.96.1.3:80")
		client.Sequence = conn.Sequence{Local: 1, Remote: 2}
		server := conn.Conn{
			Socket: conn.Socket{
				ID: conn.ID{Cookie: 2}, Phase: conn.Closed, Role: conn.RoleServer,
				Sequence: client.Sequence.Reverse(),
			},
		}
		server.Tuple.Source = netip.MustParseAddrPort("10.244.2.13:8080")
		h.Conn(client)
		h.Conn(server)
		return nil
	}
	now := at(0)
	r.scraper.machine.Now = func() time.Time { return now }
	start(t, r.scraper)
	r.scraper.run(signalMetrics, 1)
	r.scraper.run(signalLogs, 1)
	if _, err := r.scraper.drain(); err != nil {
		t.Fatal(err)
	}
	now = at(60)
	_, err := r.scraper.scrape(context.Background())
	ld, logsErr := r.scraper.scrapeLogs(context.Background())
	if err := errors.Join(err, logsErr); err != nil {
		t.Fatal(err)
	}
	var servers []any
	for _, lr := range ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		servers = append(servers, lr.Attributes().AsRaw()["server.address"])
	}
	if diff := cmp.Diff([]any{"10.244.2.13", "10.244.2.13"}, servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}

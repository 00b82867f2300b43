package netconnreceiver

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

var update = flag.Bool("update", false, "rewrite testdata/{scrape,events}/*/want.yaml")

// TestScrape plays the story of in.yaml, and compares all its collections, one after the other, with want.yaml.
func TestScrape(t *testing.T) {
	folders, err := filepath.Glob("testdata/scrape/*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no cases", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			s := readStory(t, filepath.Join(folder, "in.yaml"))
			metrics, _ := play(t, s)
			got, err := golden.MarshalMetricsYAML(metrics)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join(folder, "want.yaml"), string(got))
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// play runs the scraper on the machine of the story, for a metrics and a logs receiver, and returns what either gets at
// all collections, in one.
func play(t *testing.T, s *story) (pmetric.Metrics, plog.Logs) {
	t.Helper()
	now := time.Unix(1_700_000_000, 0)
	kernel := &script{}
	set := receivertest.NewNopSettings(metadata.Type)
	set.BuildInfo.Version = "test"
	scraper, err := newScraper(s.config, set, pipeline.Machine{
		Open: kernel.open,
		Ask:  kernel.ask,
		Host: func(string) (string, string, error) { return "0123456789abcdef0123456789abcdef", "node-1", nil },
		Join: s.join,
		Now:  func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	start(t, scraper)
	scraper.run(signalMetrics, 1)
	scraper.run(signalLogs, 1)
	metrics, logs := pmetric.NewMetrics(), plog.NewLogs()
	for _, step := range s.Steps {
		now = time.Unix(1_700_000_000, 0).Add(step.At)
		kernel.next = step
		md, err := scraper.scrape(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		md.ResourceMetrics().MoveAndAppendTo(metrics.ResourceMetrics())
		ld, err := scraper.scrapeLogs(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ld.ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
	}
	return metrics, logs
}

// start starts the scraper without the reader of every 100 ms: that would take reports at times that no test knows.
func start(t *testing.T, s *netconnScraper) {
	t.Helper()
	if _, err := s.load(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestScrapeStopped has no pipeline: before start, after shutdown, and when start was refused.
func TestScrapeStopped(t *testing.T) {
	s, err := newScraper(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type), pipeline.Machine{})
	if err != nil {
		t.Fatal(err)
	}
	md, err := s.scrape(context.Background())
	if err != nil || md.ResourceMetrics().Len() != 0 {
		t.Errorf("got %d resources, %v; want none", md.ResourceMetrics().Len(), err)
	}
	ld, err := s.scrapeLogs(context.Background())
	if err != nil || ld.ResourceLogs().Len() != 0 {
		t.Errorf("got logs of %d resources, %v; want none", ld.ResourceLogs().Len(), err)
	}
}

package netconnreceiver

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/netconn/netconn/internal/kernel"
)

// While the kernel loses records the status is a recoverable error, and the log has one line a minute, however many are
// lost. A minute after the last one it is what it was before.
func TestLostRecordsInStatusAndLog(t *testing.T) {
	r := newRig(t)
	now, stats := at(1000), kernel.Stats{}
	r.scraper.machine.Now = func() time.Time { return now }
	r.sockets.Stats = func() (kernel.Stats, error) { return stats, nil }
	start(t, r.scraper)
	r.scraper.reportTo(signalMetrics, r)
	for second := range int64(240) {
		if now = at(1000 + second); second >= 10 && second < 130 {
			stats.FailedRefused += 100_000
		}
		scrapeOnce(t, r)
	}
	logged := 0
	for _, l := range r.logs.All() {
		if strings.Contains(l.ContextMap()["error"].(string), "failed attempts") {
			logged++
		}
	}
	if logged != 3 { // at the first loss, and 60 and 120 seconds later: the last loss is one second before that
		t.Errorf("%d lines in the log of four minutes", logged)
	}
	if len(r.events) != 2 {
		t.Fatalf("%d changes of the status: %v", len(r.events), r.told())
	}
	lost, again := r.events[0], r.events[1]
	if lost.Status() != componentstatus.StatusRecoverableError || !strings.Contains(lost.Err().Error(), "failed attempts") {
		t.Errorf("status %v, %v", lost.Status(), lost.Err())
	}
	if err := again.Err(); err != nil && strings.Contains(err.Error(), "failed attempts") {
		t.Errorf("status after the last loss: %v", err)
	}
}

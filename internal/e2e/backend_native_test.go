//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Exponential histograms are native histograms in Prometheus, by each way that sends: one series of an edge, with each
// sample that was counted, and quantiles.
func TestBackendNativeHistograms(t *testing.T) {
	rows := []way{
		{path: "OTLP", exporter: inOrder, receiver: exponential, start: receiving(promoted, receiveOTLP)},
		{path: "remote write", exporter: remoteWrite, receiver: exponential,
			start: receiving(anyOrder, "--web.enable-remote-write-receiver")},
	}
	backends, text := startAll(t, rows, freeAddress(t), time.Hour)
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + text}, "env:NETCONN_TEST_CONFIGURATION")
	for i, p := range backends {
		until(t, "samples in "+rows[i].name(), func() bool { return len(p.query("netconn_active", "")) > 0 })
	}
	k := newKnown(t, "base", "")
	k.act()
	k.act()
	for i, p := range backends {
		t.Run(rows[i].name(), func(t *testing.T) {
			p.t = t
			for _, of := range k.kinds {
				p.want(float64(of.attempts), `sum(histogram_count(netconn_tcp_handshake_duration_seconds{%s}))`, of.labels())
			}
			p.want(3, `count({__name__=~"netconn_tcp_handshake_duration_seconds.*",%s})`, k.long.labels())
			p.wantQuantile(k.long.labels())
			for _, q := range documentedQueries(t) {
				if q.language == nativeQL {
					wantData(t, q.page, q.text, func(query string) int { return len(p.query(query, "")) })
				}
			}
		})
	}
}

// wantQuantile holds that the quantiles of the handshakes are between the least and the greatest sample, and that
// increase() has the samples after the first.
func (p *prometheus) wantQuantile(labels string) {
	p.t.Helper()
	of := fmt.Sprintf("sum(increase(netconn_tcp_handshake_duration_seconds{%s}[5m]))", labels)
	var got []float64
	for _, q := range []float64{0, 0.5, 1} {
		got = append(got, p.query(fmt.Sprintf("histogram_quantile(%v, %s)", q, of), "")...)
	}
	if len(got) != 3 || !slices.IsSorted(got) || got[0] < 1e-6 || got[2] > 10 {
		p.t.Errorf("least, median and greatest handshake are %v s", got)
	}
}

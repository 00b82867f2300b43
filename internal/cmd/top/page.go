//go:build linux

package main

import (
	"fmt"
	"io"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/netconn/netconn/internal/names"
)

// A page is what the collector's Prometheus exporter shows at one moment: the totals of every flow.
type page struct {
	at    time.Time // of the collection; zero: there is no flow, or the exporter sends no timestamps
	host  string
	flows map[flow]totals
}

// A flow is the part of the labels that a row shows. Series that differ in other labels are added up.
type flow struct {
	owner    owner
	role     string // client, server or unknown
	port     string // of the server, as 443 or 443/udp; empty: unknown
	peerName string // empty: unknown
	peerType string
	scope    string // where the peer is
	way      way
	overflow bool // everything beyond netconn's limits
}

// An owner is the program at this end.
type owner struct {
	executable, container, unit string
}

// A way is how the addresses were translated between the two ends.
type way struct {
	nat        string // a kind
	name, port string // of what the client asked for, where it was translated
}

// totals are since netconn first saw the flow, but for active, which is now.
type totals struct {
	sent, received  float64 // bytes
	retransmits     float64 // segments
	opened, failed  float64 // connections
	active          float64
	rttSum, rttSeen float64 // seconds, samples
}

// read adds a sample to the totals, and reports whether a row shows its metric. The names are those of the exporter's
// default translation.
func (t *totals) read(metric string, label map[string]string, m *dto.Metric) bool {
	switch metric {
	case "netconn_io_bytes_total":
		t.readBytes(label["network_io_direction"], m.GetCounter().GetValue())
	case "netconn_attempts_total":
		t.readAttempts(label["error_type"], m.GetCounter().GetValue())
	case "netconn_active":
		t.active += m.GetGauge().GetValue()
	case "netconn_tcp_retransmits_total":
		t.retransmits += m.GetCounter().GetValue()
	case "netconn_tcp_rtt_seconds":
		t.rttSum += m.GetHistogram().GetSampleSum()
		t.rttSeen += float64(m.GetHistogram().GetSampleCount())
	default:
		return false
	}
	return true
}

func (t *totals) readBytes(direction string, bytes float64) {
	if direction == "transmit" {
		t.sent += bytes
	} else {
		t.received += bytes
	}
}

func (t *totals) readAttempts(failure string, connections float64) {
	if failure == "" {
		t.opened += connections
	} else {
		t.failed += connections
	}
}

// parsePage reads the text format of Prometheus. Metrics that no row shows are left aside.
func parsePage(r io.Reader) (page, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return page{}, fmt.Errorf("parse metrics: %w", err)
	}
	p := page{flows: map[flow]totals{}}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			p.add(name, m)
		}
	}
	return p, nil
}

func (p *page) add(metric string, m *dto.Metric) {
	label := map[string]string{}
	for _, l := range m.GetLabel() {
		label[l.GetName()] = l.GetValue()
	}
	key := flowOf(label)
	t := p.flows[key]
	if !t.read(metric, label, m) {
		return
	}
	p.flows[key] = t
	p.host = label["host_name"]
	if at := time.UnixMilli(m.GetTimestampMs()); m.TimestampMs != nil && at.After(p.at) {
		p.at = at
	}
}

func flowOf(label map[string]string) flow {
	peer := label["netconn_peer_container_name"]
	if peer == "" {
		peer = label["netconn_peer_name"]
	}
	port := label["server_port"]
	if label["network_transport"] == names.UDP && port != "" {
		port += "/" + names.UDP
	}
	return flow{
		owner: owner{
			executable: label["process_executable_name"],
			container:  label["container_id"],
			unit:       label["netconn_systemd_unit"],
		},
		role:     label["netconn_role"],
		port:     port,
		peerName: peer,
		peerType: label["netconn_peer_type"],
		scope:    label["netconn_peer_scope"],
		way: way{
			nat:  label["netconn_nat"],
			name: label["netconn_original_destination_name"],
			port: label["netconn_original_destination_port"],
		},
		overflow: label["otel_metric_overflow"] == "true",
	}
}

package signals

import (
	"encoding/json"
	"math"
)

// An Answer is what is known beside the figures of some edges in a range, as docs/netmap-api.md describes it.
type Answer struct {
	From        int64        `json:"from"`
	To          int64        `json:"to"`
	Step        int64        `json:"step"`
	T           []int64      `json:"t"`
	Received    Received     `json:"received"`
	Bounds      []float64    `json:"bounds"`
	Client      *Side        `json:"client"`
	Server      *Side        `json:"server"`
	Deployments []Deployment `json:"deployments"`
}

// Received is how much was ever received of each signal: without any, an empty list says nothing about an end.
type Received struct {
	Points uint64 `json:"points"`
	Spans  uint64 `json:"spans"`
	Logs   uint64 `json:"logs"`
	Events uint64 `json:"events"`
}

// A Side is what is known of the clients or of the servers of the edges.
type Side struct {
	Ends     int              `json:"ends"`
	Sources  int              `json:"sources"`
	Usage    []Usage          `json:"resources"`
	Served   *Calls           `json:"served"`
	Made     *Calls           `json:"made"`
	Logs     map[string]Steps `json:"logs"`
	Errors   []Line           `json:"errors"`
	Events   []Event          `json:"events"`
	LogsSeen uint64           `json:"log_records"`
}

// Steps are counts by step.
type Steps []uint32

// Values are values by step; NaN is null in JSON.
type Values []float64

// MarshalJSON writes NaN as null.
func (v Values) MarshalJSON() ([]byte, error) {
	all := make([]*float64, len(v))
	for i := range v {
		if !math.IsNaN(v[i]) {
			all[i] = &v[i]
		}
	}
	return json.Marshal(all)
}

// Usage is what one container or process uses.
type Usage struct {
	Name          string   `json:"name"`
	Pod           string   `json:"pod"`
	By            string   `json:"by"`
	ImageTag      string   `json:"image_tag"`
	CPU           Values   `json:"cpu"`
	Memory        Values   `json:"memory"`
	CPULimit      *float64 `json:"cpu_limit"`
	CPURequest    *float64 `json:"cpu_request"`
	MemoryLimit   *float64 `json:"memory_limit"`
	MemoryRequest *float64 `json:"memory_request"`
	Restarts      *uint64  `json:"restarts"`
}

// Calls are the spans of one direction.
type Calls struct {
	N         uint64   `json:"n"`
	Errors    uint64   `json:"errors"`
	Sampled   uint64   `json:"sampled"`
	Estimated float64  `json:"estimated"`
	Mean      *float64 `json:"mean"`
	P50       *float64 `json:"p50"`
	P95       *float64 `json:"p95"`
	P99       *float64 `json:"p99"`
	Max       *float64 `json:"max"`
	Latency   []uint64 `json:"latency"`
	NBy       []uint64 `json:"n_by"`
	ErrorsBy  []uint64 `json:"errors_by"`
	MeanBy    Values   `json:"mean_by"`
	MaxBy     Values   `json:"max_by"`
	Slowest   []Span   `json:"slowest"`
	Failed    []Span   `json:"failed"`
}

// A Span is a call that was slow or failed.
type Span struct {
	Name       string  `json:"name"`
	Service    string  `json:"service"`
	Pod        string  `json:"pod"`
	Kind       string  `json:"kind"`
	At         float64 `json:"at"`
	Duration   float64 `json:"duration"`
	Failed     bool    `json:"failed"`
	Sampled    bool    `json:"sampled"`
	Code       string  `json:"code"`
	Message    string  `json:"message"`
	Trace      string  `json:"trace_id"`
	Span       string  `json:"span_id"`
	Peer       string  `json:"peer"`
	Connection *Event  `json:"connection"`
}

// A Line is a log record of an error.
type Line struct {
	At       float64 `json:"at"`
	Severity string  `json:"severity"`
	Name     string  `json:"name"`
	Pod      string  `json:"pod"`
	Body     string  `json:"body"`
	Trace    string  `json:"trace_id"`
	Span     string  `json:"span_id"`
}

// An Event is what netconn reported of one connection.
type Event struct {
	At          float64  `json:"at"`
	Name        string   `json:"name"`
	Body        string   `json:"body"`
	Warn        bool     `json:"warn"`
	Role        string   `json:"role"`
	Container   string   `json:"container"`
	Local       string   `json:"local"`
	Peer        string   `json:"peer"`
	PeerName    string   `json:"peer_name"`
	Port        uint16   `json:"port"`
	Duration    *float64 `json:"duration"`
	RTT         *float64 `json:"rtt"`
	Tx          uint64   `json:"transmit"`
	Rx          uint64   `json:"receive"`
	Retransmits uint64   `json:"retransmits"`
	Error       string   `json:"error"`
}

// A Deployment is the first time that a container of another image tag was seen beside or after the one before.
type Deployment struct {
	At     int64  `json:"at"`
	Name   string `json:"name"`
	Tag    string `json:"image_tag"`
	Before string `json:"before"`
	Side   string `json:"side"`
}

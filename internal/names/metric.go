package names

// Names of metrics.
const (
	IO                = "netconn.io"
	ZoneIO            = "netconn.zone.io"
	Attempts          = "netconn.attempts"
	Closed            = "netconn.closed"
	Active            = "netconn.active"
	Duration          = "netconn.duration"
	Packets           = "netconn.packets"
	RTT               = "netconn.tcp.rtt"
	Jitter            = "netconn.tcp.jitter"
	HandshakeDuration = "netconn.tcp.handshake.duration"
	Retransmits       = "netconn.tcp.retransmits"
	OutOfOrder        = "netconn.tcp.out_of_order"
	Reordering        = "netconn.tcp.reordering"
	Lost              = "netconn.tcp.lost"
	CE                = "netconn.tcp.ecn.ce"
	Busy              = "netconn.tcp.busy"
	Limited           = "netconn.tcp.limited"
	Timeouts          = "netconn.tcp.timeouts"
	Recoveries        = "netconn.tcp.recoveries"
	Bypassed          = "netconn.tcp.bypassed"
	ListenDrops       = "netconn.listen.drops"
	Drops             = "netconn.drops"
	DatagramDrops     = "netconn.udp.drops"
	DatagramErrors    = "netconn.udp.errors"
	LookupDuration    = "dns.lookup.duration"
	LookupRequests    = "netconn.dns.requests"
	LookupTimeouts    = "netconn.dns.timeouts"
)

// Names of the metrics of edges, which the connector netmap makes of those above, and of their attributes. Those of the
// two ends are client. and server. with the name of a Tag.
const (
	EdgeIO          = "netconn.edge.io"
	EdgeAttempts    = "netconn.edge.attempts"
	EdgeClosed      = "netconn.edge.closed"
	EdgeActive      = "netconn.edge.active"
	EdgeRetransmits = "netconn.edge.tcp.retransmits"
	EdgeRTT         = "netconn.edge.tcp.rtt"

	Reporter  = "netconn.reporter"
	EdgeReach = "netconn.scope"
)

// Units of metrics, as UCUM writes them.
const (
	Bytes        = "By"
	Seconds      = "s"
	Milliseconds = "ms"
	Connections  = "{connection}"
	Segments     = "{segment}"
	EventsUnit   = "{event}"
	RequestUnit  = "{request}"
	PacketsUnit  = "{packet}"
	Datagrams    = "{datagram}"
	ErrorsUnit   = "{error}"
)

// Names of events.
const (
	EventClosed = "netconn.connection.closed"
	EventFailed = "netconn.connection.failed"
	EventOpen   = "netconn.connection.open"
)

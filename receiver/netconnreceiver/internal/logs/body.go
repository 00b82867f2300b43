package logs

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
)

// body returns a sentence on an event for people, such as "shop -> cart:8080 closed after 344 ms, 192 B out, 20.5 kB
// in". The client is on the left; without a known role it is the local end.
func body(e *pipeline.Event) string {
	local := cmp.Or(e.Conn.Owner.Executable, address(e.Conn.Tuple.Source))
	peer := cmp.Or(e.Peer[names.PeerName], address(e.Conn.Tuple.Destination))
	client, host, port := local, peer, e.Port
	if e.Conn.Role == conn.RoleServer {
		client, host = peer, local
	}
	if port == 0 {
		port = e.Conn.ServerPort()
	}
	var b strings.Builder
	b.WriteString(client + " -> " + host)
	if port != 0 {
		b.WriteString(":" + strconv.Itoa(int(port)))
	}
	b.WriteString(outcome(e))
	return b.String()
}

func outcome(e *pipeline.Event) string {
	c := &e.Conn
	text, after := " closed", " after "
	switch c.Phase {
	case conn.Failed:
		text = " failed"
	case conn.Open:
		text, after = " open", " for "
	}
	if c.Age > 0 {
		text += after + duration(c.Age)
	}
	switch {
	case c.Error != conn.NoError:
		text += ": " + c.Error.String()
	case e.Trigger == pipeline.Resent:
		text += ": " + strconv.FormatUint(c.Counts[conn.Retransmits], 10) + " retransmits"
	case e.Trigger == pipeline.SlowerPath:
		text += ": round-trip time rose to " + duration(c.RTT)
	}
	if c.Phase == conn.Failed {
		return text
	}
	return text + ", " + volume(c.Counts[conn.Sent]) + " out, " + volume(c.Counts[conn.Received]) + " in"
}

// address returns the address of an end that has no name. An IPv6 address has brackets, because a port may follow.
func address(e netip.AddrPort) string {
	switch {
	case !e.Addr().IsValid():
		return "unknown"
	case e.Addr().Is6():
		return "[" + e.Addr().String() + "]"
	}
	return e.Addr().String()
}

// duration returns three digits and a unit.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond-time.Microsecond/2:
		return digits(float64(d)/float64(time.Microsecond)) + " us"
	case d < time.Second-time.Millisecond/2:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return digits(d.Seconds()) + " s"
}

// volume returns three digits and a unit.
func volume(bytes uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, unit := float64(bytes), 0
	for v >= 999.5 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	return digits(v) + " " + units[unit]
}

// digits returns a number with three digits, and with all of them before the point.
func digits(v float64) string {
	decimals := 0
	switch {
	case v < 9.995:
		decimals = 2
	case v < 99.95:
		decimals = 1
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

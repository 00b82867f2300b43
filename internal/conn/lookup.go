package conn

import (
	"time"

	"github.com/netconn/netconn/internal/names"
)

// Lookup is one report on a DNS exchange: a response, or queries that had none.
type Lookup struct {
	Namespace Namespace
	Tuple     Tuple // Source is local; for a client, Destination is the resolver that it asked, before any translation
	Protocol  Protocol
	Role      Role // RoleClient: this end asked
	Process   Process
	Owner     Owner  // of Process; the reader of the report fills it
	Question  string // the name that was asked for; empty: not known
	At        time.Time
	Answered  bool          // there is a response: Rcode is set, and Latency as far as the query was seen
	Rcode     Rcode         // of the response
	Latency   time.Duration // from the query to the response; 0: not known
	Timeouts  uint64        // queries that had no response
}

// Rcode is the response code of a DNS message, with the upper bits of EDNS.
type Rcode uint16

// Rcodes is how many have a name. All others count as the last one.
const Rcodes = Rcode(names.Rcodes)

// Known returns the code, or the last one for a code without a name.
func (r Rcode) Known() Rcode { return min(r, Rcodes-1) }

// String returns the value of the attribute netconn.dns.rcode.
func (r Rcode) String() string { return names.Rcode(int(r.Known())) }

package names

// Rcodes is how many values netconn.dns.rcode has, the last one for all others.
const Rcodes = len(rcodes)

// The response codes of DNS by their numbers (RFC 1035 section 4.1.1, RFC 2136 section 2.2).
var rcodes = [...]string{
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
	"NOTZONE", OtherError,
}

// Rcode returns the name of a response code. The index is below Rcodes.
func Rcode(i int) string { return rcodes[i] }

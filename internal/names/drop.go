package names

import "strings"

// DropReasons is how many values netconn.drop.reason has, the last one for all others.
const DropReasons = len(dropReasons)

// The kernel's reasons for a dropped packet (include/net/dropreason-core.h), in lower case. Its numbers differ between
// versions, its names do not.
var dropReasons = [...]string{
	// What the machine is told to do.
	"netfilter_drop", "bpf_cgroup_egress", "tc_ingress", "tc_egress", "xdp", "xfrm_policy", "security_hook",
	"socket_filter", "ip_rpfilter",
	// No way.
	"no_socket", "ip_outnoroutes", "ip_innoroutes", "ip_inaddrerrors", "ip_noproto", "neigh_failed", "neigh_createfail",
	"neigh_dead", "pkt_too_big", "dev_ready",
	// No room.
	"socket_rcvbuff", "socket_backlog", "proto_mem", "tcp_listen_overflow", "tcp_ofo_queue_prune", "tcp_ofo_drop",
	"tcp_zerowindow", "cpu_backlog", "qdisc_drop", "qdisc_overlimit", "qdisc_congested", "fq_flow_limit",
	"neigh_queuefull", "full_ring", "nomem", "frag_reasm_timeout",
	// A packet that is wrong.
	"ip_csum", "tcp_csum", "udp_csum", "ip_inhdr", "pkt_too_small", "tcp_flags", "tcp_close", "tcp_abort_on_data",
	"tcp_overwindow", "tcp_invalid_sequence", "tcp_invalid_ack_sequence", "tcp_invalid_syn", "tcp_rfc7323_paws",
	"tcp_md5notfound", "tcp_md5failure",
	OtherError,
}

// The reasons that are not counted as drops: the kernel gives none, the packet has done its work, its data has arrived
// already, it was for another host, or the application closed the socket without reading it.
var excludedDrops = [...]string{
	"not_specified", "consumed", "not_dropped_yet", "otherhost", "unhandled_proto", "unicast_in_l2_multicast",
	"local_mac", "ipv6disabled", "tcp_reset", "tcp_old_data", "tcp_old_sequence", "tcp_ofomerge", "tcp_old_ack",
	"tcp_too_old_ack", "tcp_rfc7323_paws_ack", "dup_frag", "queue_purge", "socket_close",
}

// ExcludedDrops is how many reasons are not counted as drops, the last one for packets that are not of IP.
const ExcludedDrops = len(excludedDrops) + 1

// DropReason returns the name of a reason. The index is below DropReasons.
func DropReason(i int) string { return dropReasons[i] }

// ExcludedDrop returns the name of a reason that is not counted. The index is below ExcludedDrops.
func ExcludedDrop(i int) string {
	if i == len(excludedDrops) {
		return OtherError
	}
	return excludedDrops[i]
}

// ReadDropReason returns the index of a reason by the kernel's name for it (SKB_DROP_REASON_NO_SOCKET). Excluded: it is
// one of the reasons that are not counted as drops, and the index one of ExcludedDrop.
func ReadDropReason(symbol string) (i int, excluded bool) {
	name := strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(symbol, "SKB_"), "DROP_REASON_"))
	for i, excluded := range excludedDrops {
		if name == excluded {
			return i, true
		}
	}
	for i, reason := range dropReasons {
		if name == reason {
			return i, false
		}
	}
	return DropReasons - 1, false
}

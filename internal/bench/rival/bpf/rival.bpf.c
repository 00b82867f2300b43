// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Two other designs, for comparison: programs that count the bytes of connections on the data path, reduced to the
 * least that such a design needs (a key of addresses, a table, one update). Neither of them knows an owner, or when a
 * connection ends. */
#include "types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define TCX_NEXT -1
#define ETH_HEADER 14
#define ETHERTYPE_IPV4 0x0800

char _license[] SEC("license")
= "GPL";

struct tuple {
	__be32 local;
	__be32 remote;
	__u16 local_port;
	__u16 remote_port;
	__u32 place; /* the network namespace, or the interface */
};

struct traffic {
	__u64 sent;
	__u64 received;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 17);
	__type(key, struct tuple);
	__type(value, struct traffic);
} connections SEC(".maps");

static __always_inline void count(const struct tuple *key, __u64 sent, __u64 received)
{
	struct traffic *t = bpf_map_lookup_elem(&connections, key);
	struct traffic fresh = {};

	if (!t) {
		fresh.sent = sent;
		fresh.received = received;
		bpf_map_update_elem(&connections, key, &fresh, BPF_ANY);
		return;
	}
	__sync_fetch_and_add(&t->sent, sent);
	__sync_fetch_and_add(&t->received, received);
}

static __always_inline void count_call(struct sock *sk, __u64 sent, __u64 received)
{
	struct tuple key = {};

	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	key.local = sk->__sk_common.skc_rcv_saddr;
	key.remote = sk->__sk_common.skc_daddr;
	key.local_port = sk->__sk_common.skc_num;
	key.remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	key.place = sk->__sk_common.skc_net.net->ns.inum;
	count(&key, sent, received);
}

/* Each send of each socket, with its result. Since Linux 6.3 (6e6eda44b939). */
SEC("tp_btf/sock_send_length")
int BPF_PROG(call_sent, struct sock *sk, int result, int flags)
{
	if (result > 0)
		count_call(sk, result, 0);
	return 0;
}

/* Each receive. */
SEC("tp_btf/sock_recv_length")
int BPF_PROG(call_received, struct sock *sk, int result, int flags)
{
	if (result > 0)
		count_call(sk, 0, result);
	return 0;
}

/* The headers of a TCP segment over IPv4, from the protocol on. */
struct headers {
	__u8 version_and_length;
	__u8 tos;
	__u16 length;
	__u16 id;
	__u16 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__be32 source;
	__be32 destination;
	__u16 source_port;
	__u16 destination_port;
};

static __always_inline int count_packet(struct __sk_buff *skb, bool egress)
{
	struct tuple key = {};
	struct headers h;

	if (skb->protocol != __builtin_bswap16(ETHERTYPE_IPV4) || bpf_skb_load_bytes(skb, ETH_HEADER, &h, sizeof(h)) ||
	    h.protocol != IPPROTO_TCP)
		return TCX_NEXT;
	key.local = egress ? h.source : h.destination;
	key.remote = egress ? h.destination : h.source;
	key.local_port = __builtin_bswap16(egress ? h.source_port : h.destination_port);
	key.remote_port = __builtin_bswap16(egress ? h.destination_port : h.source_port);
	key.place = skb->ifindex;
	count(&key, egress ? skb->len : 0, egress ? 0 : skb->len);
	return TCX_NEXT;
}

/* Each packet of one interface. Since Linux 6.6 (e420bed02507); tc's own hook is older and not cheaper. */
SEC("tcx/egress")
int packet_sent(struct __sk_buff *skb)
{
	return count_packet(skb, true);
}

SEC("tcx/ingress")
int packet_received(struct __sk_buff *skb)
{
	return count_packet(skb, false);
}

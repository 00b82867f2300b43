// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Counts the packets that the kernel drops, by its reason and the cgroup of their socket. The programs run for dropped
 * packets and for no others. */
#include "packet.h"
#include "records.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license")
= "GPL";

const struct drop_key *key_type __attribute__((unused));
const enum drop_size *size_type __attribute__((unused));

/* A reason's index: 1 leaves it out of dropped. The reader sets it by the names that this kernel has for its numbers.
 */
volatile const __u8 excluded[DROP_REASONS] = {};

/* Allocated at the load: a packet is dropped in any context. A flood adds to one entry of each processor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct drop_key);
	__type(value, __u64);
} dropped SEC(".maps");

/* By reason: what was left out, and what found no room in dropped. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} left_out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} no_room SEC(".maps");

static __always_inline bool add(void *map, const void *key, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(map, key);

	if (value)
		__sync_fetch_and_add(value, n);
	return value != 0;
}

/* Returns how many segments a packet stands for. The kernel reports each packet of a list on its own. */
static __always_inline __u64 packets(struct sk_buff *skb)
{
	struct skb_shared_info *shared = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
	__u16 segments = BPF_CORE_READ(shared, gso_segs);

	return segments && !BPF_CORE_READ(shared, frag_list) ? segments : 1;
}

/* Reports whether a socket is more than a request or a rest (TIME_WAIT), which have no cgroup. */
static __always_inline bool is_full(struct sock *sk)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

/* Fills in the key from a socket. False: the socket is not one of IP. */
static __always_inline bool read_socket(struct drop_key *k, struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6)
		return false;
	k->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (is_full(sk)) {
		k->cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
		k->protocol = BPF_CORE_READ(sk, sk_protocol);
	} else {
		k->protocol = IPPROTO_TCP;
	}
	return true;
}

/* Fills in the key from the headers of a packet without a socket. False: it is not one of IP. */
static __always_inline bool read_headers(struct drop_key *k, struct sk_buff *skb)
{
	__be16 protocol = BPF_CORE_READ(skb, protocol);
	unsigned char *ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	bool ipv4 = protocol == __builtin_bswap16(ETH_P_IP);

	if (!ipv4 && protocol != __builtin_bswap16(ETH_P_IPV6))
		return false;
	k->netns = BPF_CORE_READ(skb, dev, nd_net.net, ns.inum);
	bpf_probe_read_kernel(&k->protocol, 1, ip + (ipv4 ? 9 : 6));
	return true;
}

static __always_inline void on_drop(struct sk_buff *skb, __u32 reason, struct sock *receiver)
{
	struct sock *sk = receiver ? receiver : BPF_CORE_READ(skb, sk);
	struct drop_key k = {};
	__u64 n = packets(skb);

	if (reason >= DROP_REASONS)
		reason = DROP_REASONS - 1; /* of a subsystem with numbers of its own */
	if (excluded[reason] || !(sk ? read_socket(&k, sk) : read_headers(&k, skb))) {
		add(&left_out, &reason, n);
		return;
	}
	k.reason = reason;
	if (add(&dropped, &k, n) || !bpf_map_update_elem(&dropped, &k, &n, BPF_NOEXIST) || add(&dropped, &k, n))
		return;
	add(&no_room, &reason, n);
}

/* The reason is an argument since Linux 5.17 (c504e5c2f964), the receiving socket since 6.11 (ba8de796baf4). */
SEC("tp_btf/kfree_skb")
int BPF_PROG(dropped_with_receiver, struct sk_buff *skb, void *location, __u32 reason, struct sock *receiver)
{
	on_drop(skb, reason, receiver);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(dropped_with_reason, struct sk_buff *skb, void *location, __u32 reason)
{
	on_drop(skb, reason, 0);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Looks up packets in connection tracking. It is an object of its own, because a kernel that cannot load it can still
 * load the programs that read sockets. */
#include "kernel.h"
#include "records.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license")
= "GPL";

/* include/uapi/linux/bpf.h: the packet as a program sees it, and the tuple as a helper takes it. */
struct xdp_md {
	__u32 data;
	__u32 data_end;
};

struct bpf_sock_tuple {
	union {
		struct {
			__be32 saddr;
			__be32 daddr;
			__be16 sport;
			__be16 dport;
		} ipv4;
		struct {
			__be32 saddr[4];
			__be32 daddr[4];
			__be16 sport;
			__be16 dport;
		} ipv6;
	};
};

/* net/netfilter/nf_conntrack_bpf.c. The zone is in the options since Linux 6.11 (ece4b2969041). */
struct bpf_ct_opts___zoned {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u16 ct_zone_id;
	__u8 ct_zone_dir;
	__u8 reserved[3];
};

#define BATCH 4096

/* NF_CT_DEFAULT_ZONE_DIR, include/uapi/linux/netfilter/nf_conntrack_common.h: a zone of both directions. */
#define BOTH_DIRECTIONS 3

/* The slots for lookups. User space writes and reads them through a mapping, without a system call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BATCH);
	__type(key, __u32);
	__type(value, struct lookup);
} lookups SEC(".maps");

/* The size of struct bpf_ct_opts in the running kernel, which accepts no other: see source_bpf_linux.go. */
const volatile __u32 options_size = sizeof(struct bpf_ct_opts___zoned);

/* Linux 5.18 (b4c2b9593a1c). A lookup takes a reference to an entry, and neither makes, changes nor refreshes one. */
struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_size,
				  struct bpf_ct_opts___zoned *options, __u32 options_size) __ksym;
void bpf_ct_release(struct nf_conn *ct) __ksym;

static __always_inline bool is_ipv4(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !words[0] && !words[1] && words[2] == __builtin_bswap32(0xffff);
}

/* Returns the size of the tuple, by which the kernel knows the address family. */
static __always_inline __u32 write_tuple(struct bpf_sock_tuple *tuple, const struct lookup *l)
{
	if (is_ipv4(l->source)) {
		__builtin_memcpy(&tuple->ipv4.saddr, l->source + 12, 4);
		__builtin_memcpy(&tuple->ipv4.daddr, l->destination + 12, 4);
		tuple->ipv4.sport = __builtin_bswap16(l->source_port);
		tuple->ipv4.dport = __builtin_bswap16(l->destination_port);
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, l->source, 16);
	__builtin_memcpy(tuple->ipv6.daddr, l->destination, 16);
	tuple->ipv6.sport = __builtin_bswap16(l->source_port);
	tuple->ipv6.dport = __builtin_bswap16(l->destination_port);
	return sizeof(tuple->ipv6);
}

/* The verifier knows the type of the pointer that the kernel's function returns, so its fields can be read directly. */
static __always_inline void write_address(__u8 *out, const union nf_inet_addr *address, __u16 family)
{
	__u32 *words = (__u32 *)out;

	words[0] = family == AF_INET ? 0 : address->all[0];
	words[1] = family == AF_INET ? 0 : address->all[1];
	words[2] = family == AF_INET ? __builtin_bswap32(0xffff) : address->all[2];
	words[3] = family == AF_INET ? address->all[0] : address->all[3];
}

static __always_inline void write_other(struct lookup *l, const struct nf_conntrack_tuple *other)
{
	__u16 family = other->src.l3num;

	write_address(l->other_source, &other->src.u3, family);
	write_address(l->other_destination, &other->dst.u3, family);
	l->other_source_port = __builtin_bswap16(other->src.u.all);
	l->other_destination_port = __builtin_bswap16(other->dst.u.all);
}

static __always_inline void answer(struct lookup *l, struct nf_conn *ct, __u8 direction)
{
	if (direction)
		write_other(l, &ct->tuplehash[0].tuple);
	else
		write_other(l, &ct->tuplehash[1].tuple);
	l->direction = direction;
	l->tcp_state = l->protocol == IPPROTO_TCP ? ct->proto.tcp.state : 0;
	l->error = 0;
}

static long look_up(__u32 i, struct xdp_md **ctx)
{
	struct bpf_ct_opts___zoned options = {};
	struct bpf_sock_tuple tuple = {};
	struct lookup *l = bpf_map_lookup_elem(&lookups, &i);
	struct nf_conn *ct;

	if (!l)
		return 1;
	options.netns_id = l->netns;
	options.l4proto = l->protocol;
	if (l->zone) {
		options.ct_zone_id = l->zone;
		options.ct_zone_dir = BOTH_DIRECTIONS;
	}
	/* Two calls, because the verifier requires a constant size of the tuple. */
	if (write_tuple(&tuple, l) == sizeof(tuple.ipv4))
		ct = bpf_xdp_ct_lookup(*ctx, &tuple, sizeof(tuple.ipv4), &options, options_size);
	else
		ct = bpf_xdp_ct_lookup(*ctx, &tuple, sizeof(tuple.ipv6), &options, options_size);
	if (!ct) {
		l->error = options.error;
		return 0;
	}
	answer(l, ct, options.dir);
	bpf_ct_release(ct);
	return 0;
}

/* Run by BPF_PROG_TEST_RUN, in the context of the calling thread, and attached to nothing. XDP is the cheapest program
 * type that may call the lookup function. The packet holds the number of lookups. bpf_loop: Linux 5.17 (e6f2dd0f8067).
 */
SEC("xdp")
int ask_conntrack(struct xdp_md *ctx)
{
	__u32 *count = (void *)(long)ctx->data;

	if ((void *)(count + 1) > (void *)(long)ctx->data_end)
		return 0;
	return bpf_loop(*count, look_up, &ctx, 0);
}

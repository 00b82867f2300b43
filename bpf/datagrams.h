/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The state of UDP sockets: it is stored with the socket, and freed with it. */
#ifndef NETCONN_DATAGRAMS_H
#define NETCONN_DATAGRAMS_H

#include "kernel.h"
#include "process.h"
#include "programs.h"
#include "records.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define DNS_PORT 53

/* The object is for little-endian machines. */
#define bpf_ntohs __builtin_bswap16
#define bpf_htons __builtin_bswap16
#define bpf_htonl __builtin_bswap32

/* How far the first exchange of a socket is. */
enum {
	NO_PEER = 0,
	PEER_CLAIMED = 1, /* one processor fills it in */
	HAS_PEER = 2,
};

struct datagrams {
	struct process process;
	struct datagram_exchange first;
	struct datagram_counts rest;
	__u8 remote[16]; /* of the first exchange */
	__u8 asked[16];	 /* by the last sendmsg() with an address */
	__u64 asking;	 /* the task in it, once asked is written */
	__u64 opened_ns;
	__u64 reported_sent; /* the totals of the last snapshot */
	__u64 reported_received;
	__u32 reported_events;
	__u32 state;
	__u16 remote_port;
	__u16 asked_port;
	__u8 flags;
	__u8 reported;
	__u16 pass; /* over open files, the last that has visited it */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct datagrams);
} udp_sockets SEC(".maps");

/* Exchanges beyond a socket's first. The reader removes them; what finds no room is in the socket's rest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct datagram_key);
	__type(value, struct datagram_exchange);
} exchanges SEC(".maps");

/* Cgroups that were reported. If one is evicted, it is reported again, which does no harm. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u8);
} used SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 10);
} uses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ended SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} snapshots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DATAGRAM_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

/* The number of this pass over open files, from 1 on. The reader sets it. */
volatile __u16 pass = 0;

/* Leave out what is from or to port 53. */
volatile const bool skip_dns = false;

static __always_inline void count_by(__u32 what, __u64 by)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &what);

	if (value)
		__sync_fetch_and_add(value, by);
}

static __always_inline bool left_out(__u16 port)
{
	return skip_dns && port == DNS_PORT;
}

static __always_inline void map_ipv4(__u8 *out, __be32 address)
{
	((__u64 *)out)[0] = 0;
	((__u32 *)out)[2] = bpf_htonl(0xffff);
	((__u32 *)out)[3] = address;
}

static __always_inline bool same(const __u8 *a, const __u8 *b)
{
	return ((const __u64 *)a)[0] == ((const __u64 *)b)[0] && ((const __u64 *)a)[1] == ((const __u64 *)b)[1];
}

/* Copies a pointer that the verifier knows as a restricted one (struct bpf_sock) into one of the kernel. */
static __always_inline struct sock *kernel_sock(const void *sk)
{
	struct sock *out = 0;

	bpf_probe_read_kernel(&out, sizeof(out), &sk);
	return out;
}

static __always_inline __u64 cgroup_of(const void *sk)
{
	return BPF_CORE_READ(kernel_sock(sk), sk_cgrp_data.cgroup, kn, id);
}

/* Reports whether the cgroup of a socket was reported. */
static __always_inline bool is_used(const void *sk)
{
	__u64 id = cgroup_of(sk);

	return bpf_map_lookup_elem(&used, &id) != 0;
}

/* Asks the reader, once a cgroup, to count the packets of the socket's cgroup. */
static __always_inline void report_use(const void *sk)
{
	__u64 id = cgroup_of(sk);
	struct cgroup_use *use;
	__u8 one = 1;

	if (bpf_map_lookup_elem(&used, &id))
		return;
	use = bpf_ringbuf_reserve(&uses, sizeof(*use), 0);
	if (!use)
		return; /* the next socket reports it */
	use->id = id;
	bpf_ringbuf_submit(use, BPF_RB_FORCE_WAKEUP);
	bpf_map_update_elem(&used, &id, &one, BPF_ANY);
}

static __always_inline struct datagrams *state_of(void *sk)
{
	return bpf_sk_storage_get(&udp_sockets, sk, 0, 0);
}

static __always_inline struct datagrams *new_state(void *sk, struct datagrams *fresh)
{
	struct datagrams *d;

	fresh->opened_ns = bpf_ktime_get_ns();
	if (has_connect_hook(kernel_sock(sk)))
		fresh->flags |= DATAGRAMS_HOOKED;
	d = bpf_sk_storage_get(&udp_sockets, sk, fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (!d)
		count_by(DATAGRAMS_STORAGE_REFUSED, 1);
	return d;
}

static __always_inline struct datagram_key key_of(__u64 cookie, const __u8 *remote, __u16 port)
{
	struct datagram_key k = {.cookie = cookie, .remote_port = port};

	__builtin_memcpy(k.remote, remote, 16);
	return k;
}

static __always_inline __u32 events_of(const struct datagrams *d)
{
	const struct datagram_counts *c = &d->first.counts, *r = &d->rest;

	/* A drop takes back a received datagram. */
	return c->datagrams_sent + c->datagrams_received + 2 * c->drops + c->errors + r->datagrams_sent +
	       r->datagrams_received + 2 * r->drops;
}

static __always_inline void fill_record(struct datagram_record *r, const struct datagrams *d)
{
	r->process = d->process;
	r->first = d->first;
	r->rest = d->rest;
	r->opened_ns = d->opened_ns;
	r->time_ns = bpf_ktime_get_ns();
	__builtin_memcpy(r->remote, d->remote, 16);
	r->remote_port = d->remote_port;
	r->flags = d->flags;
}

#endif

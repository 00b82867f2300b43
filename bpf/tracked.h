/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is kept with a socket: it is born and dies with it, so nothing here can go stale or fill up. */
#ifndef NETCONN_TRACKED_H
#define NETCONN_TRACKED_H

#include "kernel.h"
#include "records.h"
#include <bpf/bpf_helpers.h>

enum {
	LISTENING = 1 << 0,    /* a listener, or what a child inherited from it and has not made its own yet */
	CONNECTING = 1 << 1,   /* connect() was called, no outcome yet */
	ESTABLISHED = 1 << 2,  /* has been established, in this generation */
	SEEN_OPENING = 1 << 3, /* the outcome of the attempt happened after netconn started */
	BASELINED = 1 << 4,    /* older than netconn: the counters in baselines are not netconn's to report */
	REPORTED = 1 << 5,     /* a snapshot has reported it, so a reader knows it */
	CLOSING = 1 << 6,      /* shutdown() or close() was called, so a FIN follows the last byte */
};

struct tracked {
	__u64 opened_ns; /* SYN sent, or accepted; 0: before netconn */
	__u64 handshake_ns;
	__u64 reported_sent; /* the last totals that a snapshot reported: they only suppress */
	__u64 reported_received;
	__u32 reported_retransmits;
	__u32 reported_drops; /* of a listener */
	__u32 first_drops;    /* what a listener had dropped when netconn first saw it */
	__u32 generation;
	__u32 isn_local;
	__u32 isn_remote;
	__u32 first_lost; /* what the socket had lost before: tcp_disconnect clears all other counters */
	__u8 role;
	__u8 flags;
	__u16 listen_port;
	struct process process;
};

/* Accepted sockets inherit the listener's entry: that is how they know who listens. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct tracked);
} sockets SEC(".maps");

/* The counters of sockets older than netconn as it first saw them. A map of its own, as few sockets ever need it. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counters);
} baselines SEC(".maps");

/* Ended connections, listeners and new cgroups. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ended SEC(".maps");

/* The snapshot's own ring: were it to share the other, a snapshot would have closes refused. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} snapshots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct losses);
} lost SEC(".maps");

/* Atomic, as a softirq may interrupt a program that a system call runs. */
static __always_inline void add(__u64 *value, __u64 by)
{
	__sync_fetch_and_add(value, by);
}

static __always_inline void count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &what);

	if (value)
		add(value, 1);
}

static __always_inline struct tracked *tracked_of(struct sock *sk)
{
	return bpf_sk_storage_get(&sockets, sk, 0, 0);
}

/* The socket's entry, with init where there was none. NULL when the kernel refuses the memory. */
static __always_inline struct tracked *track(struct sock *sk, struct tracked *init)
{
	struct tracked *t = tracked_of(sk);

	if (t)
		return t;
	t = bpf_sk_storage_get(&sockets, sk, init, BPF_SK_STORAGE_GET_F_CREATE);
	count(t ? COUNT_TRACKED : COUNT_STORAGE_REFUSED);
	return t;
}

/* Nobody opened it that netconn saw, or systemd did, which listens for others. */
static __always_inline bool owner_doubtful(struct tracked *t)
{
	return !t->process.pid || (t->process.pid == 1 && t->role == ROLE_SERVER);
}

#endif

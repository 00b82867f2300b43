/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The state that is stored with each socket. The kernel frees it with the socket, so it cannot go stale or fill up. */
#ifndef NETCONN_TRACKED_H
#define NETCONN_TRACKED_H

#include "kernel.h"
#include "records.h"
#include <bpf/bpf_helpers.h>

enum {
	LISTENING = 1 << 0,    /* a listener, or a child whose entry is still the listener's */
	CONNECTING = 1 << 1,   /* connect() was called, no outcome yet */
	ESTABLISHED = 1 << 2,  /* was established, in this generation */
	SEEN_OPENING = 1 << 3, /* the attempt ended after netconn started, so it counts */
	BASELINED = 1 << 4,    /* the counters in baselines are subtracted */
	REPORTED = 1 << 5,     /* a snapshot has reported it, so the reader knows it */
	CLOSING = 1 << 6,      /* shutdown() or close() was called, so a FIN follows the last byte */
	CONNECT_HOOK = 1 << 7, /* a BPF program ran in connect(), which may have replaced the destination */
};

struct tracked {
	__u64 opened_ns; /* SYN sent, or accepted; 0: before netconn */
	__u64 handshake_ns;
	__u64 reported_sent; /* the totals of the last snapshot: unchanged ones are not reported */
	__u64 reported_received;
	__u32 reported_retransmits;
	__u32 reported_drops; /* of a listener */
	__u32 first_drops;    /* drops of a listener before netconn saw it */
	__u32 generation;
	__u32 isn_local;
	__u32 isn_remote;
	__u32 pass; /* over open files, the last that has visited it */
	__u8 role : 6;
	__u8 bypassed : 1;  /* seen in a sockmap */
	__u8 shut_both : 1; /* with CLOSING: in both directions, so the socket may end before the other FIN */
	__u8 flags;
	__u16 listen_port;
	struct process process;
};

/* An accepted socket inherits the entry of its listener (BPF_F_CLONE), and with it the owner. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct tracked);
} sockets SEC(".maps");

/* What a socket had counted before it was netconn's: before netconn started, or before this generation. Few sockets
 * need it, so it is a map of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct counters);
} baselines SEC(".maps");

/* Connections that were established and have ended, listeners and new cgroups. Every record is submitted with the flag
 * 0, so the first record in an empty ring wakes the reader. Without a wake-up for it, later records cause none. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ended SEC(".maps");

/* A ring of its own for failed attempts: one process makes 100,000 a second, which would displace the ends of all
 * others. It is small, because its size bounds what the reader spends on them. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} failed SEC(".maps");

/* A ring of its own for snapshots: a snapshot that filled another ring would displace ends of connections. */
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

/* How many more sockets may get state, and how many with it this pass has visited. The reader sets both. A
 * program that opens a socket only reads room. A shared count would be written at each connection on each processor. */
volatile __s64 room = (__u64)-1 >> 1;
volatile __u64 visited = 0;

/* The number of this pass over open files, from 1 on. The reader sets it. */
volatile __u32 pass = 0;

/* When the last search for owners began. The reader sets it. */
volatile __u64 searched_ns = 0;

static __always_inline bool has_room(void)
{
	return room > 0;
}

/* Atomic, because a softirq may interrupt a program that runs in a system call. */
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

/* Returns the socket's entry, a copy of init if there was none. NULL: there is no room or no memory for it. */
static __always_inline struct tracked *track(struct sock *sk, struct tracked *init)
{
	struct tracked *t = tracked_of(sk);

	if (t)
		return t;
	if (!has_room()) {
		count(COUNT_NO_ROOM);
		return 0;
	}
	t = bpf_sk_storage_get(&sockets, sk, init, BPF_SK_STORAGE_GET_F_CREATE);
	count(t ? COUNT_TRACKED : COUNT_STORAGE_REFUSED);
	return t;
}

/* Reports whether the real owner is still to be found: netconn did not see who opened the socket, or it was process 1,
 * which listens for others. */
static __always_inline bool owner_doubtful(struct tracked *t)
{
	return !t->process.pid || (t->process.pid == 1 && t->role == ROLE_SERVER);
}

/* Reports whether the next search may still find the real owner, so that a report would name another one. */
static __always_inline bool awaits_search(struct tracked *t)
{
	return owner_doubtful(t) && t->opened_ns > searched_ns;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* One socket of a snapshot: a record, unless nothing has changed since the last one. 1: the ring is full, and the
 * iterator comes back to this socket. */
#ifndef NETCONN_SNAPSHOT_H
#define NETCONN_SNAPSHOT_H

#include "establish.h"
#include "handover.h"
#include "multipath.h"
#include "report.h"
#include "sockmap.h"
#include "tracked.h"

/* Reports whether the sender waits for room, at the receiver or in its own buffer. Then the time grows and nothing else
 * may change. */
static __always_inline bool waits(struct tcp_sock *tp)
{
	return BPF_CORE_READ_BITFIELD(tp, chrono_type) > BUSY + 1;
}

static __always_inline bool changed(const struct tracked *t, const struct counters *c)
{
	return !(t->flags & REPORTED) || c->count64[SENT] != t->reported_sent ||
	       c->count64[RECEIVED] != t->reported_received || c->count32[RETRANSMITS] != t->reported_retransmits;
}

static __always_inline int snapshot_connection(struct sock *sk, struct tracked *t, struct tcp_sock *tp, bool all)
{
	struct counters c = {};
	struct connection_record *r;

	inherit_remembered(tp, t);
	if (awaits_search(t))
		return 0;
	if (mark_bypassed(sk, t))
		all = true;
	read_live_counters(&c, t, tp, sk);
	if (!all && !changed(t, &c) && !waits(tp))
		return 0;
	r = bpf_ringbuf_reserve(&snapshots, sizeof(*r), 0);
	if (!r)
		return 1;
	describe(r, sk, t, tp);
	r->counters = c;
	r->phase = PHASE_OPEN;
	r->error = 0;
	t->reported_sent = c.count64[SENT];
	t->reported_received = c.count64[RECEIVED];
	t->reported_retransmits = c.count32[RETRANSMITS];
	t->flags |= REPORTED;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int snapshot_listener(struct sock *sk, struct tracked *t, bool all)
{
	struct listener_record *r;

	correct_listener(sk, t);
	if (!all && (t->flags & REPORTED) && drops_of(sk, t) == t->reported_drops)
		return 0;
	r = bpf_ringbuf_reserve(&snapshots, sizeof(*r), 0);
	if (!r)
		return 1;
	fill_listener(r, sk, t, false);
	t->reported_drops = r->drops;
	t->flags |= REPORTED;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Reports one socket. Runs in the reader, without the socket's lock. */
static __always_inline int snapshot(struct sock *sk, struct tracked *t, bool all)
{
	struct tcp_sock *tp;
	int full = 0;

	/* If the end of a socket was missed, the reader closes what is in no pass. */
	if (sk->__sk_common.skc_state == TCP_CLOSE)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	catch_up(t, tp, sk->__sk_common.skc_state);
	if (t->flags & ESTABLISHED)
		full = snapshot_connection(sk, t, tp, all);
	else if ((t->flags & LISTENING) && sk->__sk_common.skc_state == TCP_LISTEN)
		full = snapshot_listener(sk, t, all);
	if (full)
		count(COUNT_SNAPSHOT_AGAIN);
	return full;
}

/* Counts the sockets with state beside reporting them: some are destroyed without a tracepoint. */
static __always_inline int visit(struct bpf_iter__bpf_sk_storage_map *ctx, bool all)
{
	struct tracked *t = ctx->value;
	struct sock *sk = ctx->sk;
	int full = 0;

	if (sk && t)
		full = snapshot(sk, t, all);
	if (sk && !full)
		visited++;
	return full;
}

/* Several processes may have a socket open. It is reported and counted once a pass. */
static __always_inline int visit_file(struct file *file, bool all)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : 0;
	struct sock *sk = socket ? socket->sk : 0;
	struct tracked *t = sk && sk->sk_protocol == IPPROTO_TCP ? tracked_of(sk) : 0;

	if (!t || t->pass == pass)
		return 0;
	if (snapshot(sk, t, all))
		return 1;
	t->pass = pass;
	visited++;
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* One socket of a snapshot: a record, unless nothing has changed since the last one. 1: the ring is full. */
#ifndef NETCONN_SNAPSHOT_H
#define NETCONN_SNAPSHOT_H

#include "handover.h"
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

#endif

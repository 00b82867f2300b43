/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The end of a handshake, as it is seen, or later by the state of the socket. */
#ifndef NETCONN_ESTABLISH_H
#define NETCONN_ESTABLISH_H

#include "hook.h"
#include "multipath.h"
#include "report.h"
#include "tracked.h"
#include <bpf/bpf_helpers.h>

/* Turns the inherited entry into that of an accepted socket. If the listener had no entry and is not remembered, the
 * owner is unknown until the socket is adopted. */
static __always_inline void accept_inherited(struct tracked *t, struct tcp_sock *tp)
{
	if (t->flags & LISTENING)
		count(COUNT_TRACKED);
	t->role = ROLE_SERVER;
	t->opened_ns = bpf_ktime_get_ns();
	t->handshake_ns = 0;
	t->reported_sent = t->reported_received = t->reported_retransmits = 0;
	t->pass = 0;
	t->flags = SEEN_OPENING;
	inherit_remembered(tp, t);
	if (owner_doubtful(t))
		count(COUNT_UNOWNED);
}

/* connect() was called before netconn started, or the program did not run then. */
static __always_inline void connected_unseen(struct tracked *t, struct tcp_sock *tp)
{
	struct tracked fresh = {};

	fresh.generation = t->generation + 1;
	fresh.role = ROLE_CLIENT;
	fresh.flags = SEEN_OPENING | (t->flags & BASELINED);
	mark_connect_hook(&fresh, &tp->inet_conn.icsk_inet.sk);
	*t = fresh;
	count(COUNT_UNOWNED);
}

/* Usually runs in a softirq, where the current task has nothing to do with the socket. */
static __always_inline void establish(struct tracked *t, struct tcp_sock *tp, int old_state)
{
	if (t->flags & CONNECTING) {
		/* In any other state the handshake ended earlier, and its time is not known. */
		if (old_state == TCP_SYN_SENT || old_state == TCP_SYN_RECV)
			t->handshake_ns = age_ns(t);
		t->flags &= ~CONNECTING;
	} else if (old_state == TCP_SYN_SENT) {
		connected_unseen(t, tp);
	} else {
		accept_inherited(t, tp);
	}
	t->flags |= ESTABLISHED;
	read_isns(t, tp);
}

/* The kernel does not run a program that it has just interrupted, so a change of state may have been missed. A socket
 * after the handshake is established, whatever its entry says. A child that closes in SYN_RECV (TCP Fast Open) is such
 * a case too. */
static __always_inline void catch_up(struct tracked *t, struct tcp_sock *tp, int state)
{
	bool after_handshake = state != TCP_CLOSE && state != TCP_SYN_SENT && state != TCP_SYN_RECV &&
			       state != TCP_LISTEN && state != TCP_NEW_SYN_RECV;

	if (after_handshake && (t->flags & (CONNECTING | LISTENING)))
		establish(t, tp, state);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Sockets in a sockmap: a BPF program may hand their payload to another socket, so that it never becomes a segment and
 * is in no counter of TCP. close() takes a socket out of its sockmaps before the first change of state. So it is looked
 * for at each snapshot, at shutdown(), and when the FIN of the other end arrives. */
#ifndef NETCONN_SOCKMAP_H
#define NETCONN_SOCKMAP_H

#include "kernel.h"
#include "tracked.h"

static __always_inline bool in_sockmap(struct sock *sk)
{
	return (__u64)sk->sk_user_data & SK_USER_DATA_PSOCK;
}

/* Reports whether a socket is found in a sockmap for the first time, and marks it. */
static __always_inline bool mark_bypassed(struct sock *sk, struct tracked *t)
{
	if (t->bypassed || !in_sockmap(sk))
		return false;
	t->bypassed = 1;
	return true;
}

#endif

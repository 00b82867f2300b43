/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Marks the sockets of TCP that a BPF program of a cgroup may have given another destination. */
#ifndef NETCONN_HOOK_H
#define NETCONN_HOOK_H

#include "programs.h"
#include "tracked.h"

/* Marks a socket that connects. One that connected before netconn saw it is marked by the programs of now. */
static __always_inline void mark_connect_hook(struct tracked *t, struct sock *sk)
{
	if (has_connect_hook(sk))
		t->flags |= CONNECT_HOOK;
}

#endif

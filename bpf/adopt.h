/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Sockets older than netconn: their state is derived from the socket, and the counters so far become their baseline. */
#ifndef NETCONN_ADOPT_H
#define NETCONN_ADOPT_H

#include "hook.h"
#include "process.h"
#include "report.h"
#include "tracked.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Derives which side connected: bytes_acked counts the SYN, bytes_sent does not. A socket that is restored from a
 * checkpoint sent no SYN on either side. It is bound to its port, which an accepted socket is not. */
static __always_inline __u8 role_of(struct tcp_sock *tp, int state)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u64 syn;

	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return ROLE_UNKNOWN;
	syn = tp->bytes_acked - (tp->bytes_sent - tp->bytes_retrans - (tp->snd_nxt - tp->snd_una));
	if (syn == 0 && !(BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDPORT_LOCK))
		return ROLE_SERVER;
	return syn == 1 ? ROLE_CLIENT : ROLE_UNKNOWN;
}

static __always_inline bool fill_adopted(struct tracked *t, struct sock *sk, struct tcp_sock *tp, int state)
{
	struct counters base = {};

	switch (state) {
	case TCP_CLOSE:
	case TCP_SYN_RECV:
	case TCP_NEW_SYN_RECV:
	case TCP_TIME_WAIT:
		return false;
	case TCP_LISTEN:
		t->flags = LISTENING;
		t->listen_port = sk->__sk_common.skc_num;
		t->first_drops = sk->sk_drops.counter;
		bpf_get_socket_cookie(sk); /* gives it one, for find_listener */
		return true;
	case TCP_SYN_SENT:
		t->flags = CONNECTING | SEEN_OPENING | set_baseline(sk, tp);
		t->role = ROLE_CLIENT;
		mark_connect_hook(t, sk);
		return true;
	}
	t->flags = ESTABLISHED | BASELINED;
	t->role = role_of(tp, state);
	if (t->role != ROLE_SERVER)
		mark_connect_hook(t, sk);
	read_isns(t, tp);
	read_counters(&base, tp, t->role, state);
	return bpf_sk_storage_get(&baselines, sk, &base, BPF_SK_STORAGE_GET_F_CREATE) != 0;
}

static __always_inline void adopt_socket(struct sock *sk, struct task_struct *task)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct tracked *t = tracked_of(sk);
	struct tracked fresh = {};

	if (!tp)
		return;
	if (t) {
		if (owner_doubtful(t))
			read_process(&t->process, task);
		return;
	}
	if (!has_room() || !fill_adopted(&fresh, sk, tp, sk->__sk_common.skc_state))
		return;
	read_process(&fresh.process, task);
	if (!track(sk, &fresh))
		return;
	count(COUNT_ADOPTED);
	__sync_fetch_and_sub(&room, 1); /* one search may adopt more than the reader has time to count */
}

#endif

// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Follows every TCP socket from open to close. No program here runs for a packet, a send or a receive: the kernel
 * counts in the socket, and the counters are read when the socket closes and when a snapshot runs. */
#include "adopt.h"
#include "establish.h"
#include "handover.h"
#include "hook.h"
#include "kernel.h"
#include "multipath.h"
#include "process.h"
#include "records.h"
#include "report.h"
#include "snapshot.h"
#include "sockmap.h"
#include "tracked.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license")
= "GPL";

/* Keeps these types in the object's type information, from which bpf2go makes the Go types. */
const struct connection_record *connection_type __attribute__((unused));
const struct listener_record *listener_type __attribute__((unused));
const struct cgroup_record *cgroup_type __attribute__((unused));
const enum record_kind *kind_type __attribute__((unused));
const enum count64 *count64_type __attribute__((unused));
const enum count32 *count32_type __attribute__((unused));
const enum unknown_error *error_type __attribute__((unused));
const enum role *role_type __attribute__((unused));
const enum phase *phase_type __attribute__((unused));
const enum counter *counter_type __attribute__((unused));

/* connect(): runs in the caller. Each attempt of a socket is a new generation. A socket that is restored from a
 * checkpoint (TCP_REPAIR) is established without a handshake: it is no attempt, no SYN is in its counters, and either
 * end connects.
 */
static __always_inline void on_connecting(struct sock *sk)
{
	struct tracked fresh = {};
	struct tracked *t = track(sk, &fresh);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!t || !tp)
		return;
	fresh.generation = t->generation + 1;
	if (BPF_CORE_READ_BITFIELD(tp, repair)) {
		fresh.flags = CONNECTING;
	} else {
		fresh.opened_ns = bpf_ktime_get_ns();
		fresh.role = ROLE_CLIENT;
		fresh.flags = CONNECTING | SEEN_OPENING;
	}
	fresh.flags |= set_baseline(sk, tp);
	mark_connect_hook(&fresh, sk);
	read_process(&fresh.process, bpf_get_current_task_btf());
	*t = fresh;
}

/* listen(): runs in the caller, which every accepted socket inherits as its owner. */
static __always_inline void on_listening(struct sock *sk)
{
	struct tracked fresh = {};
	struct tracked *t = track(sk, &fresh);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!t || !tp)
		return;
	fresh.generation = t->generation + 1;
	fresh.flags = LISTENING;
	fresh.listen_port = sk->__sk_common.skc_num;
	fresh.first_drops = sk->sk_drops.counter;
	read_process(&fresh.process, bpf_get_current_task_btf());
	*t = fresh;
	bpf_get_socket_cookie(sk); /* gives it one, for find_listener */
}

/* Reports whether an accepted socket has inherited state that there is no room for, and takes it away. */
static __always_inline bool refuse_inherited(struct sock *sk, struct tracked *t)
{
	if (has_room() || !(t->flags & LISTENING))
		return false;
	count(COUNT_NO_ROOM);
	bpf_sk_storage_delete(&sockets, sk);
	return true;
}

static __always_inline void on_established(struct sock *sk, int old_state)
{
	struct tracked fresh = {};
	struct tracked *t = tracked_of(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	/* A client's socket without room was counted when it connected. */
	if (!t && (has_room() || old_state != TCP_SYN_SENT))
		t = track(sk, &fresh);
	if (t && tp && !refuse_inherited(sk, t))
		establish(t, tp, old_state);
}

/* shutdown() or close(). */
static __always_inline void on_closing(struct sock *sk, int new_state)
{
	struct tracked *t = tracked_of(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!t || !tp)
		return;
	catch_up(t, tp, new_state);
	t->flags |= CLOSING;
	t->shut_both = sk->sk_shutdown == SHUTDOWN_MASK;
	mark_bypassed(sk, t);
	correct_owner(sk, t);
}

/* The FIN of the other end has arrived. */
static __always_inline void on_other_closing(struct sock *sk)
{
	struct tracked *t = in_sockmap(sk) ? tracked_of(sk) : 0;

	if (t)
		mark_bypassed(sk, t);
}

/* The reader does not know a listener that was not reported, and needs none that dropped nothing. Without a record, a
 * program that opens and closes listeners cannot fill the ring. */
static __always_inline void on_listener_closed(struct sock *sk, struct tracked *t)
{
	struct listener_record *r;

	if (!(t->flags & REPORTED) && !drops_of(sk, t))
		return;
	r = bpf_ringbuf_reserve(&ended, sizeof(*r), 0);
	if (!r) {
		count(COUNT_RING_REFUSED);
		return;
	}
	fill_listener(r, sk, t, true);
	bpf_ringbuf_submit(r, 0);
}

/* The counters are final. A socket that goes to TIME_WAIT closes here too. */
static __always_inline void on_closed(struct sock *sk, int old_state)
{
	struct tracked *t = tracked_of(sk);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return;
	if (!t) {
		if (old_state != TCP_CLOSE && old_state != TCP_LISTEN)
			count(COUNT_ENDED_UNTRACKED);
		return;
	}
	catch_up(t, tp, old_state);
	if (t->flags & LISTENING) {
		if (old_state == TCP_LISTEN)
			on_listener_closed(sk, t);
	} else if (t->flags & ESTABLISHED) {
		/* Locked by the current task, which closes without a FIN. Otherwise this is a softirq. */
		if (sk->sk_lock.owned && !(t->flags & CLOSING))
			correct_owner(sk, t);
		inherit_remembered(tp, t);
		report_end(sk, t, tp, PHASE_CLOSED, old_state, error_of(sk, PHASE_CLOSED));
	} else if (t->flags & CONNECTING) {
		report_end(sk, t, tp, PHASE_FAILED, old_state, error_of(sk, PHASE_FAILED));
	}
	t->flags = 0;
}

static __always_inline void on_change(struct sock *sk, int old_state, int new_state)
{
	switch (new_state) {
	case TCP_SYN_SENT:
		on_connecting(sk);
		break;
	case TCP_LISTEN:
		on_listening(sk);
		break;
	case TCP_ESTABLISHED:
		on_established(sk, old_state);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		on_closing(sk, new_state);
		break;
	case TCP_CLOSE_WAIT:
		on_other_closing(sk);
		break;
	case TCP_CLOSE:
		on_closed(sk, old_state);
		break;
	}
}

/* Runs at every change of state of every TCP socket, with the socket locked or owned. Since Linux 4.16
 * (563e0bb0dc74), as a typed tracepoint since 5.5. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, struct sock *sk, int old_state, int new_state)
{
	if (sk->sk_protocol == IPPROTO_TCP)
		on_change(sk, old_state, new_state);
	return 0;
}

/* Reports whether socket_state has missed a change, by what it leaves in the entry. */
static __always_inline bool missed(struct sock *sk, int new_state)
{
	struct tracked *t = tracked_of(sk);

	switch (new_state) {
	case TCP_SYN_SENT:
		return t ? !(t->flags & CONNECTING) : has_room();
	case TCP_LISTEN:
		return t ? !(t->flags & LISTENING) : has_room();
	case TCP_ESTABLISHED:
		return t ? !(t->flags & ESTABLISHED) : has_room();
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		return t && !(t->flags & CLOSING);
	case TCP_CLOSE:
		return t && t->flags;
	}
	return false;
}

/* Does what socket_state has missed. Since Linux 7.0 (a46023d5616e), a task may be preempted inside a program. Until it
 * goes on, its processor does not run that program for other tasks, so that whole connections are missed. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state_again, struct sock *sk, int old_state, int new_state)
{
	if (sk->sk_protocol == IPPROTO_TCP && missed(sk, new_state))
		on_change(sk, old_state, new_state);
	return 0;
}

/* Reports whether both FINs have arrived. After close(), the other end's FIN may still be missing: the kernel destroys
 * a socket in FIN_WAIT2, and a smaller one waits (inet_timewait_sock). */
static __always_inline bool ended_properly(struct tracked *t, struct tcp_sock *tp)
{
	bool fin_received = (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> SOCK_DONE) & 1;

	return (t->flags & CLOSING) && (fin_received || t->shut_both) && tp->snd_una == tp->write_seq;
}

/* Reports whether a socket was accepted and socket_state has missed all of it: its entry is still the listener's, and a
 * listener has no remote port. */
static __always_inline bool accepted_unseen(struct sock *sk, struct tracked *t)
{
	return (t->flags & LISTENING) && sk->__sk_common.skc_dport;
}

/* Reports a socket whose end socket_state has missed. bytes_acked counts the SYN: if it was acknowledged, the socket
 * was established, and that was missed too. */
static __always_inline void report_late(struct sock *sk, struct tracked *t, struct tcp_sock *tp)
{
	int last_state = t->flags & CLOSING ? TCP_LAST_ACK : TCP_ESTABLISHED;
	__u8 phase = PHASE_CLOSED;
	__u16 error;

	if (((t->flags & CONNECTING) && tp->bytes_acked) || accepted_unseen(sk, t))
		establish(t, tp, TCP_ESTABLISHED);
	if (t->flags & CONNECTING)
		phase = PHASE_FAILED;
	error = error_of(sk, phase);
	if (!error && !(phase == PHASE_CLOSED && ended_properly(t, tp)))
		error = ERROR_UNKNOWN;
	report_end(sk, t, tp, phase, last_state, error);
	t->flags = 0;
}

/* Runs when a socket is destroyed, after its last change of state. The kernel does not run a program that it has just
 * interrupted, so socket_state may have missed that change. Since Linux 4.16 (e8fce23946b7). */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroyed, struct sock *sk)
{
	struct tracked *t = tracked_of(sk);
	struct tcp_sock *tp;

	if (!t)
		return 0;
	count(COUNT_DESTROYED);
	if (!(t->flags & (CONNECTING | ESTABLISHED)) && !accepted_unseen(sk, t))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		report_late(sk, t, tp);
	return 0;
}

/* Runs when a cgroup is made, before a process can be in it, so that a container of a few milliseconds has a name.
 * Since Linux 4.13. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgroup, const char *path)
{
	struct cgroup_record *r;

	if (!may_own(cgroup))
		return 0;
	r = bpf_ringbuf_reserve(&ended, sizeof(*r), 0);
	if (!r) {
		count(COUNT_RING_REFUSED);
		return 0;
	}
	r->kind = RECORD_CGROUP;
	r->v1 = is_v1(cgroup);
	r->id = id_of(cgroup);
	bpf_probe_read_kernel_str(r->path, sizeof(r->path), path);
	bpf_ringbuf_submit(r, 0);
	return 0;
}

/* Reports every socket that has changed since the last snapshot, in all network namespaces. Since Linux 5.9
 * (5ce6e77c7edf). */
SEC("iter/bpf_sk_storage_map")
int snapshot_changed(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	return visit(ctx, false);
}

/* Reports every socket. The reader takes a connection that is in none of three such passes for closed. */
SEC("iter/bpf_sk_storage_map")
int snapshot_all(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	return visit(ctx, true);
}

/* The same two where the kernel forbids programs that iterate over maps, as some hardened kernels do. They visit every
 * open file instead, so they miss the sockets without one. */
SEC("iter/task_file")
int files_changed(struct bpf_iter__task_file *ctx)
{
	return visit_file(ctx->file, false);
}

SEC("iter/task_file")
int files_all(struct bpf_iter__task_file *ctx)
{
	return visit_file(ctx->file, true);
}

/* Visits every open file of every process: sockets older than netconn get an owner, a role and a baseline. Runs in the
 * reader. bpf_sock_from_file since Linux 5.11 (4f19cab76136). */
SEC("iter/task_file")
int adopt(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : 0;
	if (!sk)
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP)
		adopt_socket(sk, task);
	else if (sk->sk_protocol == IPPROTO_MPTCP)
		remember_listener(sk, task);
	return 0;
}

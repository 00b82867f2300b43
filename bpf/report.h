/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From a socket to a record: counters, addresses, and the losses when the ring is full. */
#ifndef NETCONN_REPORT_H
#define NETCONN_REPORT_H

#include "tracked.h"
#include <bpf/bpf_core_read.h>

/* Derives both initial sequence numbers from the socket's present state. bytes_acked counts the SYN of the side that
 * connected. */
static __always_inline void read_isns(struct tracked *t, struct tcp_sock *tp)
{
	t->isn_local = tp->snd_una - (__u32)tp->bytes_acked - (t->role != ROLE_CLIENT);
	t->isn_remote = tp->rcv_nxt - (__u32)tp->bytes_received - 1;
}

/* A FIN takes one sequence number. It is in write_seq at once, and in snd_nxt and snd_una when it has been sent. */
static __always_inline bool fin_sent(struct tcp_sock *tp, int state)
{
	switch (state) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
		return tp->snd_nxt == tp->write_seq;
	}
	return false;
}

/* Payload that was sent, retransmitted bytes once. For an aborted connection it is an upper bound of what the peer
 * received. bytes_acked counts the SYN of the side that connected. (bytes_sent - bytes_retrans is wrong where a local
 * queue drops.) */
static __always_inline __u64 payload_sent(struct tcp_sock *tp, __u8 role, int state)
{
	__u64 sent = tp->bytes_acked + (tp->snd_nxt - tp->snd_una);
	__u64 not_payload = (role == ROLE_CLIENT) + fin_sent(tp, state);

	return sent > not_payload ? sent - not_payload : 0;
}

/* bytes_received counts the peer's FIN as one byte; SOCK_DONE says that it has arrived. */
static __always_inline __u64 payload_received(struct tcp_sock *tp)
{
	__u64 received = tp->bytes_received;
	__u64 fin = (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> SOCK_DONE) & 1;

	return received > fin ? received - fin : 0;
}

/* Adds the time that runs to the times so far. A switch to another one while they are read makes their sum lower, never
 * higher: the kernel writes them in the order chrono_stat, chrono_start, chrono_type. */
static __always_inline void read_times(struct counters *c, struct tcp_sock *tp)
{
	__u32 running;

	for (int i = 0; i <= LIMITED_BY_BUFFER; i++)
		c->count32[i] = tp->chrono_stat[i];
	barrier();
	running = BPF_CORE_READ_BITFIELD(tp, chrono_type) - 1;
	barrier();
	if (running <= LIMITED_BY_BUFFER)
		c->count32[running] += (__u32)bpf_jiffies64() - tp->chrono_start;
}

static __always_inline void read_counters(struct counters *c, struct tcp_sock *tp, __u8 role, int state)
{
	c->count64[SENT] = payload_sent(tp, role, state);
	c->count64[RECEIVED] = payload_received(tp);
#define READ_COUNT32(name, field) c->count32[name] = tp->field;
	FOR_EACH_COUNT32(READ_COUNT32)
#undef READ_COUNT32
#define READ_LATER_COUNT32(name, field) c->count32[name] = bpf_core_field_exists(tp->field) ? tp->field : 0;
	FOR_EACH_LATER_COUNT32(READ_LATER_COUNT32)
#undef READ_LATER_COUNT32
	read_times(c, tp);
	c->rtt_us = tp->srtt_us >> 3;
	c->rtt_variation_us = tp->srtt_us ? tp->mdev_us >> 2 : 0; /* the kernel's initial value is one second */
}

static __always_inline void subtract(struct counters *c, const struct counters *base)
{
	for (int i = 0; i < COUNTS64; i++)
		c->count64[i] -= base->count64[i] < c->count64[i] ? base->count64[i] : c->count64[i];
	for (int i = 0; i < COUNTS32; i++)
		c->count32[i] -= base->count32[i];
}

/* tcp_disconnect leaves some counters as they are: those of this generation begin at what they are now. */
static __always_inline __u8 set_baseline(struct sock *sk, struct tcp_sock *tp)
{
	struct counters base = {};

	base.count32[LOST] = tp->lost;
	read_times(&base, tp);
	if (!base.count32[LOST] && !base.count32[BUSY] && !base.count32[LIMITED_BY_RECEIVER] &&
	    !base.count32[LIMITED_BY_BUFFER])
		return 0;
	bpf_sk_storage_delete(&baselines, sk);
	return bpf_sk_storage_get(&baselines, sk, &base, BPF_SK_STORAGE_GET_F_CREATE) ? BASELINED : 0;
}

/* The counters since netconn first saw the socket, and of this generation. */
static __always_inline void read_own_counters(struct counters *c, struct tracked *t, struct tcp_sock *tp, int state)
{
	struct counters *base;

	read_counters(c, tp, t->role, state);
	if (t->flags & BASELINED) {
		base = bpf_sk_storage_get(&baselines, tp, 0, 0);
		if (base)
			subtract(c, base);
	}
	c->count32[BYPASSED] = t->bypassed;
}

/* Reports whether a system call or a softirq works on the socket. With PREEMPT_RT the spin lock has no such field. */
static __always_inline bool busy(struct sock *sk)
{
	if (sk->sk_lock.owned)
		return true;
	return bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.val.counter) &&
	       sk->sk_lock.slock.rlock.raw_lock.val.counter;
}

/* A lower bound of the bytes sent and received, valid at any moment of the kernel's work: bytes in flight are left out,
 * and the last byte of either side may be its FIN. */
static __always_inline void at_least(struct counters *c, struct tracked *t, struct tcp_sock *tp)
{
	__u64 not_payload = 1 + (t->role == ROLE_CLIENT);
	struct counters *base = t->flags & BASELINED ? bpf_sk_storage_get(&baselines, tp, 0, 0) : 0;

	not_payload += base ? base->count64[SENT] : 0;
	c->count64[SENT] = tp->bytes_acked > not_payload ? tp->bytes_acked - not_payload : 0;
	if (c->count64[SENT] < t->reported_sent)
		c->count64[SENT] = t->reported_sent;
	if (c->count64[RECEIVED])
		c->count64[RECEIVED]--;
	if (c->count64[RECEIVED] < t->reported_received)
		c->count64[RECEIVED] = t->reported_received;
}

/* Reads the counters without the socket's lock. The kernel may be between two steps: bytes that are acknowledged and
 * still counted as in flight, a FIN that is not marked as received. A total that is once too high stays too high, so
 * if two readings differ, the lower bound is reported, and the rest in the next snapshot. */
static __always_inline void read_live_counters(struct counters *c, struct tracked *t, struct tcp_sock *tp,
					       struct sock *sk)
{
	struct counters again = {};

	for (int i = 0; i < 4; i++) {
		read_own_counters(c, t, tp, sk->__sk_common.skc_state);
		if (busy(sk))
			continue;
		read_own_counters(&again, t, tp, sk->__sk_common.skc_state);
		if (again.count64[SENT] == c->count64[SENT] && again.count64[RECEIVED] == c->count64[RECEIVED])
			return;
	}
	at_least(c, t, tp);
}

static __always_inline void map_ipv4(__u8 *out, __be32 address)
{
	__builtin_memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	__builtin_memcpy(out + 12, &address, 4);
}

static __always_inline void read_local(__u8 *out, struct sock *sk)
{
	if (sk->__sk_common.skc_family == AF_INET)
		map_ipv4(out, sk->__sk_common.skc_rcv_saddr);
	else
		bpf_probe_read_kernel(out, 16, &sk->__sk_common.skc_v6_rcv_saddr);
}

static __always_inline void read_remote(__u8 *out, struct sock *sk)
{
	if (sk->__sk_common.skc_family == AF_INET)
		map_ipv4(out, sk->__sk_common.skc_daddr);
	else
		bpf_probe_read_kernel(out, 16, &sk->__sk_common.skc_v6_daddr);
}

/* skc_num is 0 when a socket closes; inet_sport keeps the port. */
static __always_inline __u16 local_port(struct tcp_sock *tp)
{
	return __builtin_bswap16(tp->inet_conn.icsk_inet.inet_sport);
}

static __always_inline __u32 netns_of(struct sock *sk)
{
	return sk->__sk_common.skc_net.net->ns.inum;
}

static __always_inline __u64 netns_cookie_of(struct sock *sk)
{
	struct net *net = sk->__sk_common.skc_net.net;

	return bpf_core_field_exists(net->net_cookie) ? net->net_cookie : 0;
}

static __always_inline __u64 age_ns(struct tracked *t)
{
	return t->opened_ns ? bpf_ktime_get_ns() - t->opened_ns : 0;
}

/* With TPROXY an accepted socket has the port that the client connected to, and its listener has another one. */
static __always_inline bool transparent(struct tracked *t, __u16 port)
{
	return t->role == ROLE_SERVER && t->listen_port && t->listen_port != port;
}

/* Reads the range that the kernel takes the ports of clients from, in the socket's namespace. */
static __always_inline void client_ports(struct sock *sk, __u16 *low, __u16 *high)
{
	struct net *net = sk->__sk_common.skc_net.net;
	struct net___two *two = (void *)net;
	__u32 range;

	if (bpf_core_field_exists(net->ipv4.ip_local_ports.range)) {
		range = BPF_CORE_READ(net, ipv4.ip_local_ports.range);
		*low = range;
		*high = range >> 16;
	} else if (bpf_core_field_exists(two->ipv4.ip_local_ports.range)) {
		*low = BPF_CORE_READ(two, ipv4.ip_local_ports.range[0]);
		*high = BPF_CORE_READ(two, ipv4.ip_local_ports.range[1]);
	}
}

/* The end with a port that the kernel chose connected, if the other port is below those that the kernel chooses. */
static __always_inline __u8 role_of_ports(struct sock *sk, __u16 local, __u16 remote)
{
	__u16 low = 0, high = 0;

	client_ports(sk, &low, &high);
	if (local >= low && local <= high && remote < low)
		return ROLE_CLIENT;
	if (remote >= low && remote <= high && local < low)
		return ROLE_SERVER;
	return ROLE_UNKNOWN;
}

/* Fills a record except for counters, phase and error. */
static __always_inline void describe(struct connection_record *r, struct sock *sk, struct tracked *t,
				     struct tcp_sock *tp)
{
	r->kind = RECORD_CONNECTION;
	r->generation = t->generation;
	r->cookie = bpf_get_socket_cookie(sk);
	r->process = t->process;
	r->time_ns = bpf_ktime_get_ns();
	r->age_ns = t->opened_ns ? r->time_ns - t->opened_ns : 0;
	r->handshake_ns = t->handshake_ns;
	read_local(r->local, sk);
	read_remote(r->remote, sk);
	r->isn_local = t->isn_local;
	r->isn_remote = t->isn_remote;
	r->netns = netns_of(sk);
	r->netns_cookie = netns_cookie_of(sk);
	r->local_port = local_port(tp);
	r->remote_port = __builtin_bswap16(sk->__sk_common.skc_dport);
	r->role = t->role;
	r->seen_opening = !!(t->flags & SEEN_OPENING);
	r->transparent = transparent(t, r->local_port);
	r->connect_hook = !!(t->flags & CONNECT_HOOK);
	r->ports_role = t->role == ROLE_UNKNOWN ? role_of_ports(sk, r->local_port, r->remote_port) : ROLE_UNKNOWN;
}

/* Counts an end that found the ring full. The reader knows what a snapshot has reported, so only the rest is lost. */
static __always_inline void count_loss(struct tracked *t, const struct counters *c, __u8 phase)
{
	__u32 zero = 0;
	struct losses *l = bpf_map_lookup_elem(&lost, &zero);

	count(phase == PHASE_FAILED ? COUNT_FAILED_REFUSED : COUNT_RING_REFUSED);
	if (!l)
		return;
	if (c->count64[SENT] > t->reported_sent)
		add(&l->sent, c->count64[SENT] - t->reported_sent);
	if (c->count64[RECEIVED] > t->reported_received)
		add(&l->received, c->count64[RECEIVED] - t->reported_received);
	if (c->count32[RETRANSMITS] > t->reported_retransmits)
		add(&l->retransmits, c->count32[RETRANSMITS] - t->reported_retransmits);
	if (t->flags & REPORTED) {
		add(&l->known, 1);
		return;
	}
	add(&l->opened, phase == PHASE_CLOSED && (t->flags & SEEN_OPENING));
	add(&l->failed, phase == PHASE_FAILED);
	add(&l->closed, phase == PHASE_CLOSED);
}

/* The errno that the kernel left in the socket at its end. */
static __always_inline __u16 error_of(struct sock *sk, __u8 phase)
{
	if (sk->sk_err)
		return sk->sk_err;
	return phase == PHASE_FAILED ? sk->sk_err_soft : 0;
}

/* Reports the end. Only the first record after a reading wakes the reader. */
static __always_inline void report_end(struct sock *sk, struct tracked *t, struct tcp_sock *tp, __u8 phase,
				       int old_state, __u16 error)
{
	struct counters c = {};
	struct connection_record *r;

	read_own_counters(&c, t, tp, old_state);
	if (phase == PHASE_FAILED)
		r = bpf_ringbuf_reserve(&failed, sizeof(*r), 0);
	else
		r = bpf_ringbuf_reserve(&ended, sizeof(*r), 0);
	if (!r) {
		count_loss(t, &c, phase);
		return;
	}
	describe(r, sk, t, tp);
	r->counters = c;
	r->phase = phase;
	r->error = error;
	t->flags = 0; /* before the reader learns of the end, so that no later snapshot has the socket */
	bpf_ringbuf_submit(r, 0);
}

static __always_inline __u32 drops_of(struct sock *sk, struct tracked *t)
{
	return sk->sk_drops.counter - t->first_drops;
}

static __always_inline void fill_listener(struct listener_record *r, struct sock *sk, struct tracked *t, bool closed)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = RECORD_LISTENER;
	r->netns = netns_of(sk);
	r->cookie = bpf_get_socket_cookie(sk);
	r->process = t->process;
	read_local(r->local, sk);
	r->drops = drops_of(sk, t);
	r->generation = t->generation;
	r->local_port = t->listen_port;
	r->closed = closed;
}

#endif

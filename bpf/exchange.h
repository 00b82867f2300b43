/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Counts packets for the exchange of their socket with their peer. */
#ifndef NETCONN_EXCHANGE_H
#define NETCONN_EXCHANGE_H

#include "datagram.h"

static __always_inline void begin_exchange(struct datagram_exchange *e, const struct datagram *p, bool sent)
{
	e->opened_ns = bpf_ktime_get_ns();
	e->answered = !sent;
	e->local_port = p->local_port;
	__builtin_memcpy(e->local, p->local, 16);
}

/* A function of its own, so that a packet of a known exchange does not clear its variables. */
static __noinline struct datagram_exchange *further_exchange(struct __sk_buff *skb, struct datagrams *d,
							     const struct datagram *p, bool sent)
{
	struct datagram_exchange fresh = {};
	struct datagram_exchange *e;
	struct datagram_key key;

	if (d->state == NO_PEER && __sync_val_compare_and_swap(&d->state, NO_PEER, PEER_CLAIMED) == NO_PEER) {
		begin_exchange(&d->first, p, sent);
		__builtin_memcpy(d->remote, p->asked, 16);
		d->remote_port = p->asked_port;
		d->state = HAS_PEER;
		return &d->first;
	}
	key = key_of(bpf_get_socket_cookie(skb), p->asked, p->asked_port);
	e = bpf_map_lookup_elem(&exchanges, &key);
	if (e)
		return e;
	begin_exchange(&fresh, p, sent);
	bpf_map_update_elem(&exchanges, &key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&exchanges, &key);
}

/* Returns the exchange of a socket with a peer, or null if there is no room for it. */
static __always_inline struct datagram_exchange *exchange_of(struct __sk_buff *skb, struct datagrams *d,
							     const struct datagram *p, bool sent)
{
	if (d->state == HAS_PEER && d->remote_port == p->asked_port && same(d->remote, p->asked))
		return &d->first;
	return further_exchange(skb, d, p, sent);
}

/* A socket that was not seen before its packet. */
static __noinline struct datagrams *older_state(struct bpf_sock *sk)
{
	struct datagrams fresh = {.flags = DATAGRAMS_OLDER};

	return new_state(sk, &fresh);
}

static __always_inline void note_sent(struct datagram_exchange *e, const struct datagram *p)
{
	if (!e->sent_hash)
		e->sent_hash = p->hash;
	if (!e->actual_port && (p->remote_port != p->asked_port || !same(p->remote, p->asked))) {
		__builtin_memcpy(e->actual, p->remote, 16);
		e->actual_port = p->remote_port;
	}
}

/* The source of a packet that was sent may be translated; the destination of one that was received is the socket's. */
static __always_inline void note_received(struct datagram_exchange *e, const struct datagram *p)
{
	if (!e->received_hash)
		e->received_hash = p->hash;
	if (e->heard)
		return;
	e->heard = 1;
	__builtin_memcpy(e->local, p->local, 16);
	e->local_port = p->local_port;
}

static __always_inline void add_packet(struct datagram_counts *c, const struct datagram *p, bool sent)
{
	if (sent) {
		__sync_fetch_and_add(&c->sent, p->bytes);
		__sync_fetch_and_add(&c->datagrams_sent, p->datagrams);
	} else {
		__sync_fetch_and_add(&c->received, p->bytes);
		__sync_fetch_and_add(&c->datagrams_received, p->datagrams);
	}
}

static __always_inline void count_packet(struct __sk_buff *skb, bool sent)
{
	struct datagram p = {};
	struct bpf_sock *sk = skb->sk;
	struct datagrams *d;
	struct datagram_exchange *e;

	if (!sk || !read_datagram(skb, &p, sent) || left_out(p.local_port) || left_out(p.remote_port))
		return;
	d = state_of(sk);
	read_asked(skb, &p, d, sent);
	if (left_out(p.asked_port))
		return;
	if (!d)
		d = older_state(sk);
	if (!d)
		return;
	e = exchange_of(skb, d, &p, sent);
	if (!e) {
		count_by(DATAGRAMS_REST, p.datagrams);
		add_packet(&d->rest, &p, sent);
		return;
	}
	if (sent)
		note_sent(e, &p);
	else
		note_received(e, &p);
	add_packet(&e->counts, &p, sent);
}

#endif

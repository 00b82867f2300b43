/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Finds DNS messages in packets, and keeps the queries that have no response yet. */
#ifndef NETCONN_DNS_H
#define NETCONN_DNS_H

#include "kernel.h"
#include "packet.h"
#include "records.h"
#include <bpf/bpf_helpers.h>

enum {
	PORTS = 4,
	ANY_SIZE = 0xffff,
};

/* Ports of servers; 0: none. Set before the object is loaded. */
const volatile __u16 ports[PORTS] = {53, 15053};

/* A hash and not a socket's storage: one socket of a server has a query of each of its clients. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 16);
	__type(key, struct dns_key);
	__type(value, struct dns_query);
} queries SEC(".maps");

/* Where a socket that is not connected sent its last message to, before any translation. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct endpoint);
} asked SEC(".maps");

/* Responses, and sockets of servers. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} messages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DNS_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} dns_counts SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&dns_counts, &what);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static __always_inline bool is_dns(__u16 port)
{
	return port && (port == ports[0] || port == ports[1] || port == ports[2] || port == ports[3]);
}

/* An exchange, as its messages are read. */
struct exchange {
	struct packet packet;
	struct endpoint local; /* as the socket has it */
	struct dns_key key;
	__u32 message; /* offset of the message */
	__u32 size;
	__u32 waiting; /* queries with this key that have no response */
	bool egress;
	bool to_server; /* queries go this way */
	bool to_client; /* responses go this way */
	bool response;
};

/* Reads the id and the kind of a message at an offset of the payload. The size is known over UDP, and over TCP where
 * the length stands before the message. False: it is no query and no response, goes the other way, or has more than one
 * question. */
static __always_inline bool read_message(struct __sk_buff *skb, struct exchange *e, __u32 offset, __u32 size)
{
	__u8 h[12];

	e->message = e->packet.payload + offset;
	e->size = size;
	if (e->packet.length < offset + sizeof(h) || bpf_skb_load_bytes(skb, e->message, h, sizeof(h)))
		return false;
	e->key.id = h[0] << 8 | h[1];
	e->response = h[2] & 0x80;
	if (e->response ? !e->to_client : !e->to_server)
		return false;
	if ((h[2] & 0x78) || h[4] || h[5] > 1) /* OPCODE, QDCOUNT */
		return false;
	return e->response || (h[5] == 1 && !h[6] && !h[7]); /* ANCOUNT */
}

/* Returns the last query with the key of an exchange that has no response. */
static __always_inline struct dns_query *find_query(const struct exchange *e)
{
	struct dns_key key = e->key;

	return bpf_map_lookup_elem(&queries, &key);
}

/* A query may come with the last segment of the handshake, which the kernel passes to the listener. So a server over
 * TCP is not identified by its socket, but by what the listener and the connection have in common. */
static __always_inline void identify(struct __sk_buff *skb, struct exchange *e)
{
	struct dns_query *q;

	e->key.server = e->egress == e->response;
	if (e->key.server && e->packet.protocol == IPPROTO_TCP)
		e->key.socket = bpf_skb_cgroup_id(skb);
	else
		e->key.socket = bpf_get_socket_cookie(skb);
	q = find_query(e);
	e->waiting = q ? q->resent + 1 : 0;
}

/* Finds a message that begins with a segment. The middle of a response may look like the beginning of one, so a
 * response counts only if its query was seen. */
static __always_inline bool find_in_segment(struct __sk_buff *skb, struct exchange *e)
{
	__u8 h[2];
	__u32 length;

	if (e->packet.length < 14 || bpf_skb_load_bytes(skb, e->packet.payload, h, sizeof(h)))
		return false;
	length = h[0] << 8 | h[1];
	if (length >= 12 && length + 2 >= e->packet.length && read_message(skb, e, 2, length)) {
		identify(skb, e);
		if (e->waiting || !e->response)
			return true;
	}
	/* The length was in a segment before. */
	if (!read_message(skb, e, 0, ANY_SIZE))
		return false;
	identify(skb, e);
	return e->waiting || !e->response;
}

/* Finds the message of a packet, and its query. 0: there is none. */
SEPARATE int find_message(struct __sk_buff *skb, struct exchange *e)
{
	if (!e)
		return 0;
	if (e->packet.protocol == IPPROTO_TCP)
		return find_in_segment(skb, e);
	if (!read_message(skb, e, 0, e->packet.length)) {
		count(DNS_COUNT_UNREADABLE);
		return false;
	}
	identify(skb, e);
	return true;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Reads a packet of UDP, in the programs of a cgroup. */
#ifndef NETCONN_DATAGRAM_H
#define NETCONN_DATAGRAM_H

#include "datagrams.h"
#include "packet.h"

/* One datagram, or several that the kernel carries as one packet, as its socket has it. */
struct datagram {
	__u8 remote[16];
	__u8 local[16];
	__u8 asked[16];
	__u16 remote_port;
	__u16 local_port;
	__u16 asked_port;
	__u16 reserved;
	__u32 bytes;
	__u32 datagrams;
	__u32 hash;
};

#define UDP_HEADER 8

/* Returns the offset of the UDP header; 0: the packet is of another protocol, or cannot be read. */
static __always_inline __u32 read_addresses(struct __sk_buff *skb, struct datagram *p, bool sent)
{
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end;
	__u8 *source = sent ? p->local : p->remote, *destination = sent ? p->remote : p->local;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (data + 20 > end || data[9] != IPPROTO_UDP)
			return 0;
		map_ipv4(source, *(__be32 *)(data + 12));
		map_ipv4(destination, *(__be32 *)(data + 16));
		return (data[0] & 0xf) * 4;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) || data + 40 > end)
		return 0;
	if (data[6] != IPPROTO_UDP) {
		if (data[6] == 0 || data[6] == 43 || data[6] == 60)
			count_by(DATAGRAMS_UNPARSED, 1);
		return 0;
	}
	__builtin_memcpy(source, data + 8, 16);
	__builtin_memcpy(destination, data + 24, 16);
	return 40;
}

/* Reads a field of a packet's context at its own offset, as the verifier demands. The compiler would merge branches
 * that read different fields. */
#define FIELD(skb, field)                                                                                              \
	({                                                                                                             \
		__u64 value;                                                                                           \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                                                  \
			     : "=r"(value)                                                                             \
			     : "r"(skb), "i"(__builtin_offsetof(struct __sk_buff, field)));                            \
		(__u32) value;                                                                                         \
	})

static __always_inline bool read_datagram(struct __sk_buff *skb, struct datagram *p, bool sent)
{
	__u32 at = read_addresses(skb, p, sent);
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end;
	__u16 source, destination;

	if (at < 20 || at > 60 || data + at + UDP_HEADER > end)
		return false;
	source = bpf_ntohs(*(__be16 *)(data + at));
	destination = bpf_ntohs(*(__be16 *)(data + at + 2));
	p->local_port = FIELD(skb, local_port); /* the socket's: the packet's source may be translated */
	p->remote_port = sent ? destination : source;
	p->bytes = skb->len - at - UDP_HEADER;
	p->datagrams = skb->gso_segs ? skb->gso_segs : 1;
	p->hash = skb->hash;
	return true;
}

/* Fills in the remote address of a connected socket. */
static __always_inline void read_connected(struct __sk_buff *skb, struct datagram *p)
{
	p->asked_port = __builtin_bswap32(FIELD(skb, remote_port)) /* 32 bits in network order */;
	if (FIELD(skb, family) == AF_INET) {
		map_ipv4(p->asked, FIELD(skb, remote_ip4));
		return;
	}
	((__u32 *)p->asked)[0] = FIELD(skb, remote_ip6[0]);
	((__u32 *)p->asked)[1] = FIELD(skb, remote_ip6[1]);
	((__u32 *)p->asked)[2] = FIELD(skb, remote_ip6[2]);
	((__u32 *)p->asked)[3] = FIELD(skb, remote_ip6[3]);
}

/* Takes what this task asked for, unless another one has asked meanwhile with the same socket. */
static __always_inline bool take_asked(struct datagrams *d, struct datagram *p)
{
	__u64 task = bpf_get_current_task();

	if (d->asking != task)
		return false;
	__builtin_memcpy(p->asked, d->asked, 16);
	p->asked_port = d->asked_port;
	return __sync_val_compare_and_swap(&d->asking, task, 0) == task;
}

/* What the application asked for is the peer: the packet's destination may be translated, and the source of an answer
 * is translated back. */
static __always_inline void read_asked(struct __sk_buff *skb, struct datagram *p, struct datagrams *d, bool sent)
{
	if (sent && d && take_asked(d, p)) {
		return;
	} else if (sent && skb->remote_port) {
		read_connected(skb, p);
	} else {
		__builtin_memcpy(p->asked, p->remote, 16);
		p->asked_port = p->remote_port;
	}
}

#endif

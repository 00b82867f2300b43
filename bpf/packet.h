/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the programs of a cgroup see (include/uapi/linux/bpf.h), and the headers of a packet. */
#ifndef NETCONN_PACKET_H
#define NETCONN_PACKET_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port; /* in host order */
	__be16 dst_port;
	__u16 : 16;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
};

/* Up to the last field that is read. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 : 64; /* flow_keys */
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	struct bpf_sock *sk;
};

struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4;
	__u32 user_ip6[4];
	__u32 user_port; /* in network order */
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 msg_src_ip4;
	__u32 msg_src_ip6[4];
	struct bpf_sock *sk;
};

/* A function that the kernel verifies once, and not again for each way that leads to its call. Its arguments are then
 * anything of their types. Since Linux 5.12 (e5069b9c23b3). */
#define SEPARATE __attribute__((noinline))

/* An address and a port, as records have them. */
struct endpoint {
	__u32 address[4];
	__u16 port;
	__u16 reserved;
};

struct packet {
	struct endpoint source;
	struct endpoint destination;
	__u32 payload; /* offset from the network header */
	__u32 length;  /* of the payload */
	__u8 protocol;
};

static __always_inline __u16 host16(__be16 v)
{
	return __builtin_bswap16(v);
}

/* Maps an IPv4 address into IPv6. */
static __always_inline void map_ip4(__u32 *to, __u32 ip4)
{
	to[0] = to[1] = 0;
	to[2] = __builtin_bswap32(0xffff);
	to[3] = ip4;
}

static __always_inline void copy_ip6(__u32 *to, const __u32 *ip6)
{
	to[0] = ip6[0];
	to[1] = ip6[1];
	to[2] = ip6[2];
	to[3] = ip6[3];
}

/* Reads the network header. A fragment that is not the first one has no ports; sockets never see one. */
static __always_inline bool read_network(struct __sk_buff *skb, struct packet *p, __u32 *transport, __u32 *end)
{
	__u32 words[10];
	__u8 *h = (__u8 *)words;

	if (bpf_skb_load_bytes(skb, 0, h, 20))
		return false;
	if (h[0] >> 4 == 4) {
		*transport = (h[0] & 0xf) * 4;
		*end = h[2] << 8 | h[3];
		p->protocol = h[9];
		map_ip4(p->source.address, words[3]);
		map_ip4(p->destination.address, words[4]);
		return true;
	}
	if (bpf_skb_load_bytes(skb, 0, h, 40))
		return false;
	*transport = 40;
	*end = 40 + (h[4] << 8 | h[5]);
	p->protocol = h[6];
	copy_ip6(p->source.address, words + 2);
	copy_ip6(p->destination.address, words + 6);
	return true;
}

/* Reads the headers. 0: it is neither UDP nor TCP, or has IPv6 extension headers. */
SEPARATE int read_packet(struct __sk_buff *skb, struct packet *p)
{
	__u32 transport, end;
	__u8 h[20];

	if (!p || !read_network(skb, p, &transport, &end))
		return false;
	if (end <= 40 || end > skb->len) /* a jumbogram, or a packet of several segments: its length is the buffer's */
		end = skb->len;
	if (p->protocol == IPPROTO_UDP) {
		if (bpf_skb_load_bytes(skb, transport, h, 8))
			return false;
		p->payload = transport + 8;
	} else if (p->protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, transport, h, 20))
			return false;
		p->payload = transport + (h[12] >> 4) * 4;
		end = skb->len;
	} else {
		return false;
	}
	p->source.port = h[0] << 8 | h[1];
	p->destination.port = h[2] << 8 | h[3];
	p->length = end > p->payload ? end - p->payload : 0;
	return true;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net_device {
	possible_net_t nd_net;
};

/* A packet in the kernel. The headers are at offsets from head, the shared part is at end. */
struct sk_buff {
	unsigned int len;
	struct net_device *dev;
	struct sock *sk;
	__be16 protocol;
	unsigned char *head;
	__u32 end;
	__u16 network_header;
	__u16 transport_header;
};

struct skb_shared_info {
	unsigned short gso_segs;
	struct sk_buff *frag_list;
};

#pragma clang attribute pop

#endif

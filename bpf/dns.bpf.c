// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Follows DNS queries and responses of the sockets of chosen cgroups. The programs run for each packet of these
 * cgroups, so all of them let a packet pass that is not DNS as early as possible, and none ever drops one: a program
 * that returns anything but 1 would. */
#include "dns.h"
#include "kernel.h"
#include "packet.h"
#include "process.h"
#include "records.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license")
= "GPL";

/* Keeps these types in the object's type information, from which bpf2go makes the Go types. */
const struct dns_record *record_type __attribute__((unused));
const struct dns_server_record *server_type __attribute__((unused));
const enum record_kind *kind_type __attribute__((unused));
const enum role *role_type __attribute__((unused));
const enum dns_size *size_type __attribute__((unused));
const enum dns_counter *counter_type __attribute__((unused));

enum {
	PASS = 1, /* the packet goes on */
};

/* Fills in the task that sends, or where that is not the owner of the socket only the cgroup: a segment may be sent
 * while the kernel works for another one. */
static __always_inline void read_sender(struct __sk_buff *skb, struct process *out, __u32 *netns, __u64 *cookie)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct css_set *set = task->cgroups;
	__u64 cgroup = bpf_skb_cgroup_id(skb);
	struct nsproxy *ns = task->nsproxy;
	struct net *net = ns ? ns->net_ns : 0;

	*netns = 0;
	*cookie = 0;
	if (!set || id_of(set->dfl_cgrp) != cgroup) {
		__builtin_memset(out, 0, sizeof(*out));
		out->cgroup = cgroup;
		return;
	}
	read_process(out, task);
	if (!net)
		return;
	*netns = net->ns.inum;
	if (bpf_core_field_exists(net->net_cookie))
		*cookie = net->net_cookie;
}

/* A query of a server's client: the process that will answer is not known yet. */
static __always_inline void read_receiver(struct __sk_buff *skb, struct process *out)
{
	__builtin_memset(out, 0, sizeof(*out));
	out->cgroup = bpf_skb_cgroup_id(skb);
}

SEPARATE int on_query(struct __sk_buff *skb, struct exchange *e)
{
	struct dns_query q = {};
	struct dns_key key;

	if (!e || (e->waiting && e->packet.protocol == IPPROTO_TCP))
		return 0; /* a segment that is sent again */
	key = e->key;
	q.time_ns = bpf_ktime_get_ns();
	q.resent = e->waiting;
	if (e->egress)
		read_sender(skb, &q.process, &q.netns, &q.netns_cookie);
	else
		read_receiver(skb, &q.process);
	__builtin_memcpy(q.local, e->local.address, sizeof(q.local));
	q.local_port = e->local.port;
	if (bpf_map_update_elem(&queries, &key, &q, BPF_ANY))
		count(DNS_COUNT_QUERIES_REFUSED);
	return 0;
}

/* Fills in a record, but for the message. */
SEPARATE int fill(struct __sk_buff *skb, struct exchange *e, struct dns_record *r)
{
	struct endpoint *remote;
	struct dns_query *q;

	if (!e || !r)
		return 0;
	remote = e->egress ? &e->packet.destination : &e->packet.source;
	q = find_query(e);
	r->kind = RECORD_DNS;
	r->role = e->egress ? ROLE_SERVER : ROLE_CLIENT;
	r->protocol = e->packet.protocol;
	r->reserved = 0;
	r->time_ns = bpf_ktime_get_ns();
	r->latency_ns = q ? r->time_ns - q->time_ns : 0;
	r->resent = q ? q->resent : 0;
	r->size = e->size;
	if (q && e->egress) /* a response may be translated back by now; the query was as the socket got it */
		__builtin_memcpy(r->local, q->local, sizeof(r->local));
	else
		__builtin_memcpy(r->local, e->local.address, sizeof(r->local));
	__builtin_memcpy(r->remote, remote->address, sizeof(r->remote));
	r->local_port = e->local.port;
	r->remote_port = remote->port;
	if (e->egress) {
		read_sender(skb, &r->process, &r->netns, &r->netns_cookie);
		return 0;
	}
	r->netns = q ? q->netns : 0;
	r->netns_cookie = q ? q->netns_cookie : 0;
	if (q)
		r->process = q->process;
	else
		read_receiver(skb, &r->process);
	return 0;
}

/* Writes a record with up to n bytes of the message. */
#define REPORT(n)                                                                                                      \
	static __always_inline void report_##n(struct __sk_buff *skb, struct exchange *e)                              \
	{                                                                                                              \
		struct {                                                                                               \
			struct dns_record record;                                                                      \
			__u8 message[n];                                                                               \
		} *r = bpf_ringbuf_reserve(&messages, sizeof(*r), 0);                                                  \
		__u32 last, size = e->size;                                                                            \
                                                                                                                       \
		if (!r) {                                                                                              \
			count(DNS_COUNT_RING_REFUSED);                                                                 \
			return;                                                                                        \
		}                                                                                                      \
		fill(skb, e, &r->record);                                                                              \
		if (size > e->packet.payload + e->packet.length - e->message)                                          \
			size = e->packet.payload + e->packet.length - e->message;                                      \
		if (size > n)                                                                                          \
			size = n;                                                                                      \
		/* The verifier of Linux 6.1 learns a lower bound from a comparison of order, not from size != 0. */   \
		last = size - 1;                                                                                       \
		asm volatile("" : "+r"(last)); /* or the compiler compares another register */                         \
		if (last >= n || bpf_skb_load_bytes(skb, e->message, r->message, last + 1)) {                          \
			count(DNS_COUNT_UNREADABLE);                                                                   \
			bpf_ringbuf_discard(r, 0);                                                                     \
			return;                                                                                        \
		}                                                                                                      \
		r->record.captured = size;                                                                             \
		bpf_ringbuf_submit(r, 0);                                                                              \
	}

REPORT(128)
REPORT(512)
REPORT(1280)

_Static_assert(DNS_SMALL == 128 && DNS_MEDIUM == 512 && DNS_LARGE == 1280, "sizes of reports");

SEPARATE int on_response(struct __sk_buff *skb, struct exchange *e)
{
	struct dns_key key;
	__u32 captured;

	if (!e)
		return 0;
	captured = e->packet.payload + e->packet.length - e->message;
	if (captured > e->size)
		captured = e->size;
	if (captured <= DNS_SMALL)
		report_128(skb, e);
	else if (captured <= DNS_MEDIUM)
		report_512(skb, e);
	else
		report_1280(skb, e);
	key = e->key;
	if (e->waiting)
		bpf_map_delete_elem(&queries, &key);
	return 0;
}

/* Returns what the application sees at the other end: what it is connected to, or sent to last. */
static __always_inline void seen_remote(struct bpf_sock *sk, struct exchange *e, struct endpoint *to)
{
	struct endpoint *remote = e->egress ? &e->packet.destination : &e->packet.source;
	struct endpoint *sent;

	*to = *remote;
	if (!e->egress)
		return;
	if (sk->dst_port) {
		to->port = host16(sk->dst_port);
		if (sk->family == AF_INET) {
			map_ip4(to->address, sk->dst_ip4);
		} else {
			__u32 ip6[4] = {sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]};

			copy_ip6(to->address, ip6);
		}
		return;
	}
	sent = bpf_sk_storage_get(&asked, sk, 0, 0);
	if (sent)
		*to = *sent;
}

/* Returns the own end as the socket has it; a socket of all addresses has the packet's. */
static __always_inline void own_end(struct bpf_sock *sk, struct exchange *e)
{
	__u32 ip6[4] = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]};

	e->local = e->egress ? e->packet.source : e->packet.destination;
	e->local.port = sk->src_port;
	if (sk->family == AF_INET) {
		if (sk->src_ip4)
			map_ip4(e->local.address, sk->src_ip4);
	} else if (ip6[0] | ip6[1] | ip6[2] | ip6[3]) {
		copy_ip6(e->local.address, ip6);
	}
}

/* A socket's ports alone show that most packets are not DNS. */
static __always_inline bool may_be_dns(struct bpf_sock *sk)
{
	if (sk->protocol != IPPROTO_UDP && sk->protocol != IPPROTO_TCP)
		return false;
	if (is_dns(sk->src_port) || is_dns(host16(sk->dst_port)))
		return true;
	return sk->protocol == IPPROTO_UDP && !sk->dst_port;
}

static __always_inline void on_packet(struct __sk_buff *skb, bool egress)
{
	struct exchange e = {.egress = egress};
	struct endpoint remote;
	struct bpf_sock *sk = skb->sk;
	bool local;

	if (!sk)
		return;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !may_be_dns(sk))
		return;
	if (!read_packet(skb, &e.packet)) {
		count(DNS_COUNT_UNREADABLE);
		return;
	}
	if (!e.packet.length)
		return;
	seen_remote(sk, &e, &remote);
	local = is_dns(sk->src_port);
	e.to_server = egress ? is_dns(remote.port) : local;
	e.to_client = egress ? local : is_dns(remote.port);
	if (!e.to_server && !e.to_client)
		return;
	__builtin_memcpy(e.key.remote, remote.address, sizeof(e.key.remote));
	e.key.remote_port = remote.port;
	e.key.protocol = e.packet.protocol;
	own_end(sk, &e);
	if (!find_message(skb, &e))
		return;
	if (e.response)
		on_response(skb, &e);
	else
		on_query(skb, &e);
}

/* Runs for each packet that a socket of the cgroup sends, after NAT. Since Linux 4.10. */
SEC("cgroup_skb/egress")
int dns_egress(struct __sk_buff *skb)
{
	on_packet(skb, true);
	return PASS;
}

/* Runs for each packet that is delivered to a socket of the cgroup. */
SEC("cgroup_skb/ingress")
int dns_ingress(struct __sk_buff *skb)
{
	on_packet(skb, false);
	return PASS;
}

/* Remembers where a socket that is not connected sends to, if that or the socket's port is one of DNS. NAT may give
 * the packet another destination, and a response comes from the one that was asked. */
static __always_inline void on_send(struct bpf_sock_addr *ctx, struct endpoint *to)
{
	struct bpf_sock *sk = ctx->sk;
	struct endpoint *stored;

	if (!sk || (!is_dns(to->port) && !is_dns(sk->src_port)))
		return;
	stored = bpf_sk_storage_get(&asked, sk, to, BPF_SK_STORAGE_GET_F_CREATE);
	if (stored)
		*stored = *to;
}

/* sendto() and sendmsg() of UDP. Since Linux 4.18 (1cedee13d25a). */
SEC("cgroup/sendmsg4")
int dns_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct endpoint to = {.port = host16(ctx->user_port)};

	map_ip4(to.address, ctx->user_ip4);
	on_send(ctx, &to);
	return PASS;
}

SEC("cgroup/sendmsg6")
int dns_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct endpoint to = {.port = host16(ctx->user_port)};
	__u32 ip6[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	copy_ip6(to.address, ip6);
	on_send(ctx, &to);
	return PASS;
}

static __always_inline void report_server(__u64 cgroup)
{
	struct dns_server_record *r = bpf_ringbuf_reserve(&messages, sizeof(*r), 0);

	if (!r) {
		count(DNS_COUNT_RING_REFUSED);
		return;
	}
	r->kind = RECORD_DNS_SERVER;
	r->reserved = 0;
	r->cgroup = cgroup;
	bpf_ringbuf_submit(r, 0);
}

static __always_inline void on_bound(struct bpf_sock *sk)
{
	struct css_set *set = bpf_get_current_task_btf()->cgroups;

	if (is_dns(sk->src_port) && set)
		report_server(id_of(set->dfl_cgrp));
}

/* bind(). Since Linux 4.17 (aac3fc320d94). */
SEC("cgroup/post_bind4")
int dns_bound4(struct bpf_sock *sk)
{
	on_bound(sk);
	return PASS;
}

SEC("cgroup/post_bind6")
int dns_bound6(struct bpf_sock *sk)
{
	on_bound(sk);
	return PASS;
}

/* Visits every open file of every process: the servers that were bound before the programs were attached. */
SEC("iter/task_file")
int dns_servers(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : 0;
	if (!sk || (sk->sk_protocol != IPPROTO_UDP && sk->sk_protocol != IPPROTO_TCP) ||
	    !is_dns(sk->__sk_common.skc_num))
		return 0;
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup) && sk->sk_cgrp_data.cgroup)
		report_server(id_of(sk->sk_cgrp_data.cgroup));
	else if (task->cgroups)
		report_server(id_of(task->cgroups->dfl_cgrp));
	return 0;
}

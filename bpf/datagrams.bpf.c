// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Counts the datagrams of UDP sockets. Programs at the root cgroup run in connect(), bind() and sendmsg() with an
 * address. They report the cgroups that use UDP. The programs that run for packets are attached to these cgroups only.
 *
 * A program of a cgroup can forbid what it runs for. Every path of these returns 1, which allows it. */
#include "datagrams.h"
#include "exchange.h"
#include <bpf/bpf_tracing.h>

char _license[] SEC("license")
= "GPL";

const struct datagram_record *record_type __attribute__((unused));
const struct cgroup_use *use_type __attribute__((unused));
const enum datagram_counter *counter_type __attribute__((unused));
const enum datagram_flags *flags_type __attribute__((unused));

static __always_inline __u16 port_of(const struct bpf_sock_addr *ctx)
{
	return bpf_ntohs((__u16)ctx->user_port);
}

/* Runs in the process that uses the socket. A resolver's socket has a state only in a cgroup with programs for packets:
 * its query may be redirected to another port, and is left out by the port that was asked for. */
static __always_inline struct datagrams *use_socket(struct bpf_sock_addr *ctx)
{
	bool resolver = left_out(port_of(ctx));
	struct bpf_sock *sk = ctx->sk;
	struct datagrams fresh = {};
	struct datagrams *d = sk ? state_of(sk) : 0;

	if (d || !sk || (resolver && !is_used(sk)))
		return d;
	read_process(&fresh.process, bpf_get_current_task_btf());
	d = new_state(sk, &fresh);
	if (!resolver)
		report_use(sk);
	return d;
}

static __always_inline void on_connect(struct bpf_sock_addr *ctx)
{
	struct datagrams *d;

	if (ctx->protocol != IPPROTO_UDP || left_out(port_of(ctx)))
		return;
	d = use_socket(ctx);
	if (d)
		d->asking = 0; /* of a datagram that never left */
}

/* bind() to port 0 asks for any port: a client's. */
static __always_inline void on_bind(struct bpf_sock_addr *ctx)
{
	__u16 port = port_of(ctx);
	struct datagrams *d;

	if (ctx->protocol != IPPROTO_UDP || !port || left_out(port))
		return;
	d = use_socket(ctx);
	if (d)
		d->flags |= DATAGRAMS_BOUND;
}

/* Remembers what is asked for until the packet leaves: rules of the namespace may translate it on the way. The packet
 * leaves in the same task. */
static __always_inline void on_sendmsg(struct bpf_sock_addr *ctx, bool ipv6)
{
	struct datagrams *d;
	__u8 address[16] __attribute__((aligned(8)));

	d = use_socket(ctx);
	if (!d)
		return;
	if (ipv6) {
		((__u32 *)address)[0] = ctx->user_ip6[0];
		((__u32 *)address)[1] = ctx->user_ip6[1];
		((__u32 *)address)[2] = ctx->user_ip6[2];
		((__u32 *)address)[3] = ctx->user_ip6[3];
	} else {
		map_ipv4(address, ctx->user_ip4);
	}
	__sync_lock_test_and_set(&d->asking, 0);
	__builtin_memcpy(d->asked, address, 16);
	d->asked_port = port_of(ctx);
	__sync_lock_test_and_set(&d->asking, bpf_get_current_task());
}

/* The names begin with netconn_, by which hook.h recognises them. Since Linux 4.17 (d74bad4e74ee). */
SEC("cgroup/connect4")
int netconn_conn4(struct bpf_sock_addr *ctx)
{
	on_connect(ctx);
	return 1;
}

SEC("cgroup/connect6")
int netconn_conn6(struct bpf_sock_addr *ctx)
{
	on_connect(ctx);
	return 1;
}

/* Since Linux 4.17 (4fbac77d2d09). */
SEC("cgroup/bind4")
int netconn_bind4(struct bpf_sock_addr *ctx)
{
	on_bind(ctx);
	return 1;
}

SEC("cgroup/bind6")
int netconn_bind6(struct bpf_sock_addr *ctx)
{
	on_bind(ctx);
	return 1;
}

/* Runs for each datagram that is sent with an address. Since Linux 4.18 (1cedee13d25a). */
SEC("cgroup/sendmsg4")
int netconn_send4(struct bpf_sock_addr *ctx)
{
	on_sendmsg(ctx, false);
	return 1;
}

SEC("cgroup/sendmsg6")
int netconn_send6(struct bpf_sock_addr *ctx)
{
	on_sendmsg(ctx, true);
	return 1;
}

/* Runs for a packet that leaves the namespace's output, after its rules and before fragmentation. Since Linux 4.10
 * (33b486793cb3). */
SEC("cgroup_skb/egress")
int netconn_egress(struct __sk_buff *skb)
{
	count_packet(skb, true);
	return 1;
}

/* Runs for a packet that is delivered to a socket, before the socket's buffer is checked. */
SEC("cgroup_skb/ingress")
int netconn_ingress(struct __sk_buff *skb)
{
	count_packet(skb, false);
	return 1;
}

static __always_inline void count_loss(const struct datagrams *d)
{
	count_by(DATAGRAMS_RING_REFUSED, 1);
	count_by(DATAGRAMS_LOST_SENT, d->first.counts.sent + d->rest.sent - d->reported_sent);
	count_by(DATAGRAMS_LOST_RECEIVED, d->first.counts.received + d->rest.received - d->reported_received);
}

/* Runs once when a socket is closed, also when its process was killed. Since Linux 5.9 (f5836749c9c0). */
SEC("cgroup/sock_release")
int netconn_release(struct bpf_sock *ctx)
{
	struct datagrams *d = ctx->protocol == IPPROTO_UDP ? state_of(ctx) : 0;
	struct datagram_record *r;

	if (!d || d->state == NO_PEER)
		return 1;
	r = bpf_ringbuf_reserve(&ended, sizeof(*r), 0);
	if (!r) {
		count_loss(d);
		return 1;
	}
	fill_record(r, d);
	r->cookie = bpf_get_socket_cookie(ctx);
	r->netns = BPF_CORE_READ(kernel_sock(ctx), __sk_common.skc_net.net, ns.inum);
	r->netns_cookie = bpf_get_netns_cookie(ctx);
	r->closed = 1;
	bpf_ringbuf_submit(r, 0);
	return 1;
}

/* Returns the exchange of a received packet that the kernel holds. */
static __always_inline struct datagram_exchange *received_from(struct sock *sk, struct datagrams *d,
							       struct sk_buff *skb)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	__u8 remote[16] __attribute__((aligned(8)));
	struct datagram_key key;
	__be32 ipv4 = 0;
	__u8 version = 0;
	__be16 port = 0;

	bpf_probe_read_kernel(&version, 1, ip);
	if (version >> 4 == 4) {
		bpf_probe_read_kernel(&ipv4, 4, ip + 12);
		map_ipv4(remote, ipv4);
	} else {
		bpf_probe_read_kernel(remote, 16, ip + 8);
	}
	bpf_probe_read_kernel(&port, 2, head + BPF_CORE_READ(skb, transport_header));
	port = bpf_ntohs(port);
	if (d->state == HAS_PEER && d->remote_port == port && same(d->remote, remote))
		return &d->first;
	key = key_of(bpf_get_socket_cookie(sk), remote, port);
	return bpf_map_lookup_elem(&exchanges, &key);
}

/* Runs when the kernel drops a datagram because its socket's buffer is full, after netconn_ingress has counted it. The
 * packet is an argument since Linux 6.10 (e9669a00bba7). */
SEC("tp_btf/udp_fail_queue_rcv_skb")
int BPF_PROG(buffer_full, int rc, struct sock *sk, struct sk_buff *skb)
{
	struct datagrams *d = state_of(sk);
	struct skb_shared_info *shared;
	struct datagram_exchange *e;
	struct datagram_counts *c;
	__u32 n;

	if (!d)
		return 0;
	e = received_from(sk, d, skb);
	c = e ? &e->counts : &d->rest;
	if (left_out(d->remote_port) || !c->datagrams_received)
		return 0;
	shared = (struct skb_shared_info *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
	n = BPF_CORE_READ(shared, gso_segs);
	n = n ? n : 1;
	__sync_fetch_and_add(&c->received, -(__u64)skb->len);
	__sync_fetch_and_add(&c->datagrams_received, -n);
	__sync_fetch_and_add(&c->drops, n);
	return 0;
}

/* Returns the exchange of a connected socket with its peer. */
static __always_inline struct datagram_exchange *connected_to(struct sock *sk, struct datagrams *d)
{
	__u16 port = bpf_ntohs(sk->__sk_common.skc_dport);
	__u8 remote[16] __attribute__((aligned(8)));
	struct datagram_key key;

	if (sk->__sk_common.skc_family == AF_INET)
		map_ipv4(remote, sk->__sk_common.skc_daddr);
	else
		bpf_probe_read_kernel(remote, 16, &sk->__sk_common.skc_v6_daddr);
	if (d->remote_port == port && same(d->remote, remote))
		return &d->first;
	key = key_of(bpf_get_socket_cookie(sk), remote, port);
	return bpf_map_lookup_elem(&exchanges, &key);
}

/* Runs when the kernel leaves an error in a socket: for a connected UDP socket an ICMP message. It also runs for time
 * stamps of sent packets, without an error. Since Linux 5.14 (e6a3e4434000). */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(socket_error, struct sock *sk)
{
	struct datagrams *d = sk->sk_protocol == IPPROTO_UDP ? state_of(sk) : 0;
	struct datagram_exchange *e;

	if (!d || d->state != HAS_PEER || !sk->sk_err || !sk->__sk_common.skc_dport)
		return 0;
	e = connected_to(sk, d);
	if (!e)
		return 0;
	e->error = sk->sk_err;
	__sync_fetch_and_add(&e->counts.errors, 1);
	return 0;
}

/* 1: the ring is full, and the iterator comes back to this socket. */
static __always_inline int snapshot(struct sock *sk, struct datagrams *d, bool all)
{
	struct datagram_record *r;

	if (d->state != HAS_PEER || (!all && d->reported && events_of(d) == d->reported_events))
		return 0;
	r = bpf_ringbuf_reserve(&snapshots, sizeof(*r), 0);
	if (!r)
		return 1;
	d->reported_events = events_of(d);
	fill_record(r, d);
	r->cookie = bpf_get_socket_cookie(sk);
	r->netns = sk->__sk_common.skc_net.net->ns.inum;
	r->netns_cookie = sk->__sk_common.skc_net.net->net_cookie;
	r->closed = 0;
	d->reported_sent = r->first.counts.sent + r->rest.sent;
	d->reported_received = r->first.counts.received + r->rest.received;
	d->reported = 1;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline int visit(struct bpf_iter__bpf_sk_storage_map *ctx, bool all)
{
	struct datagrams *d = ctx->value;
	struct sock *sk = ctx->sk;

	return sk && d ? snapshot(sk, d, all) : 0;
}

SEC("iter/bpf_sk_storage_map")
int snapshot_changed(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	return visit(ctx, false);
}

SEC("iter/bpf_sk_storage_map")
int snapshot_all(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	return visit(ctx, true);
}

/* Returns the UDP socket that a file is, or NULL. */
static __always_inline struct sock *udp_socket(struct file *file)
{
	struct socket *socket = file ? bpf_sock_from_file(file) : 0;
	struct sock *sk = socket ? socket->sk : 0;

	return sk && sk->sk_protocol == IPPROTO_UDP ? sk : 0;
}

/* Several processes may have a socket open. It is reported once a pass. */
static __always_inline int visit_file(struct file *file, bool all)
{
	struct sock *sk = udp_socket(file);
	struct datagrams *d = sk ? state_of(sk) : 0;

	if (!d || d->pass == pass)
		return 0;
	if (snapshot(sk, d, all))
		return 1;
	d->pass = pass;
	return 0;
}

/* The same two where the kernel forbids programs that iterate over maps. They visit every open file instead. */
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

/* Visits every open file of every process: sockets older than netconn get an owner, and their cgroup is reported. */
SEC("iter/task_file")
int adopt(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct sock *sk = udp_socket(ctx->file);
	struct datagrams fresh = {};
	struct datagrams *d;
	__u16 local, remote;
	bool bound;

	if (!task || !sk)
		return 0;
	local = sk->__sk_common.skc_num;
	remote = bpf_ntohs(sk->__sk_common.skc_dport);
	d = state_of(sk);
	if (d && !d->process.pid)
		read_process(&d->process, task);
	if (d || (!local && !remote) || left_out(local) || left_out(remote))
		return 0;
	read_process(&fresh.process, task);
	bound = BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & SOCK_BINDPORT_LOCK;
	fresh.flags = DATAGRAMS_OLDER | (bound ? DATAGRAMS_BOUND : 0);
	new_state(sk, &fresh);
	if (bound || remote)
		report_use(sk);
	return 0;
}

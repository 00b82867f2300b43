/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Listeners of multipath TCP that are older than netconn, as most servers written in Go have them. The TCP socket that
 * listens has no file, so no iterator leads to it and it gets no entry that a connection could inherit. But the file of
 * the multipath socket shows which process has it, in which namespace and on which port. */
#ifndef NETCONN_MULTIPATH_H
#define NETCONN_MULTIPATH_H

#include "kernel.h"
#include "process.h"
#include "report.h"
#include "tracked.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct older_key {
	__u64 netns_cookie;
	__u64 port;
};

struct older_listener {
	__u64 address;		/* of the TCP socket, in the kernel */
	struct process process; /* pid 0: two listeners have the port, of different owners */
};

/* Entries stay when their listeners close. They are read only for connections that inherit none, and a listener that is
 * newer than netconn gives all of its connections one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct older_key);
	__type(value, struct older_listener);
} older SEC(".maps");

/* The TCP socket of a file's socket. That of a multipath TCP listener is its first one, which has no file. */
static __always_inline struct sock *tcp_of(struct sock *sk)
{
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP)
		return sk;
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP && bpf_core_type_exists(struct mptcp_sock))
		return BPF_CORE_READ((struct mptcp_sock *)sk, first);
	return 0;
}

static __always_inline bool same_owner(const struct process *a, const struct process *b)
{
	return a->cgroup == b->cgroup && a->cgroup_v1 == b->cgroup_v1 &&
	       !__builtin_memcmp(a->executable, b->executable, EXECUTABLE_SIZE);
}

/* Remembers the owner of a multipath socket that listens. Several processes may have its file: the first one that is
 * not process 1 is the owner. */
static __always_inline void remember_listener(struct sock *multipath, struct task_struct *task)
{
	struct sock *sk = tcp_of(multipath);
	struct older_listener found = {.address = (__u64)sk}, *known;
	struct older_key key = {};

	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return;
	key.netns_cookie = BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie);
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	read_process(&found.process, task);
	known = bpf_map_lookup_elem(&older, &key);
	if (!known || known->process.pid == 1)
		bpf_map_update_elem(&older, &key, &found, BPF_ANY);
	else if (known->address != found.address && !same_owner(&known->process, &found.process))
		known->process.pid = 0;
}

/* Replaces the owner of the listener of a connection, if it is remembered. */
static __always_inline void remember_server(struct sock *connection, __u64 listener, const struct tracked *t)
{
	struct older_key key = {.netns_cookie = netns_cookie_of(connection), .port = t->listen_port};
	struct older_listener *known = bpf_map_lookup_elem(&older, &key);

	if (known && known->address == listener)
		known->process = t->process;
}

/* Gives a server's socket that nobody owns the owner of the older listener on its port. */
static __always_inline void inherit_remembered(struct tcp_sock *tp, struct tracked *t)
{
	struct older_key key = {};
	struct older_listener *known;

	if (t->process.pid || t->role != ROLE_SERVER)
		return;
	key.netns_cookie = netns_cookie_of(&tp->inet_conn.icsk_inet.sk);
	key.port = local_port(tp);
	known = bpf_map_lookup_elem(&older, &key);
	if (!known || !known->process.pid)
		return;
	t->process = known->process;
	t->listen_port = key.port;
}

#endif

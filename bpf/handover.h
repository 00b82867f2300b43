/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Listeners that change hands: passed to a new process (hot restart), opened by a supervisor, or closed while requests
 * wait (tcp_migrate_req). An accepted socket inherits the owner of its listener, and no program runs in accept(). But
 * the process that serves a connection is the current task when it closes it. */
#ifndef NETCONN_HANDOVER_H
#define NETCONN_HANDOVER_H

#include "kernel.h"
#include "multipath.h"
#include "process.h"
#include "tracked.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* A server has its listeners long before its connections, so they are among its first files. */
#define FILES_SEARCHED 128

/* The process that was seen to serve a listener, by the cookie of the listener. The next snapshot makes it the
 * listener's owner. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct process);
} servers SEC(".maps");

/* Returns the address of a listener on the port in the network namespace of a connection, which the task has open.
 * 0: there is none. Not inlined, because it runs rarely, and its loop would be in the program twice. */
static __noinline __u64 find_listener(struct sock *connection, __u16 port, struct task_struct *task)
{
	const struct file_operations *socket_ops = connection->sk_socket->file->f_op;
	struct net *net = connection->__sk_common.skc_net.net;
	struct fdtable *table = task->files->fdt;
	__u32 files = table->max_fds;
	struct file **fds = table->fd;

	for (__u32 fd = 0; fd < FILES_SEARCHED && fd < files; fd++) {
		struct file *file = 0;
		struct socket *socket;
		struct sock *sk;

		bpf_probe_read_kernel(&file, sizeof(file), &fds[fd]);
		if (!file || BPF_CORE_READ(file, f_op) != socket_ops)
			continue;
		socket = BPF_CORE_READ(file, private_data);
		sk = BPF_CORE_READ(socket, sk);
		if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN ||
		    BPF_CORE_READ(sk, __sk_common.skc_num) != port || BPF_CORE_READ(sk, __sk_common.skc_net.net) != net)
			continue;
		return (__u64)tcp_of(sk);
	}
	return 0;
}

static __always_inline bool same_cgroup(const struct process *p, struct task_struct *task)
{
	struct css_set *set = task->cgroups;

	return set && id_of(set->dfl_cgrp) == p->cgroup && cgroup_v1_id(set) == p->cgroup_v1;
}

/* Reports whether the task serves the listener of a connection although another process, in another cgroup, owns it:
 * the task has a listener on that port. A process that a server has passed one connection to (sshd's session) has none,
 * and the connection stays the server's. */
static __always_inline bool takes_over(struct sock *sk, struct tracked *t, struct task_struct *task, __u64 *listener)
{
	if (t->role != ROLE_SERVER || same_cgroup(&t->process, task))
		return false;
	*listener = find_listener(sk, t->listen_port, task);
	return *listener != 0;
}

/* Notes who serves a listener, for what it accepts from now on. A cookie does not show that the listener has an entry:
 * another agent on the host may have given it one. */
static __always_inline void hand_over(struct sock *sk, __u64 listener, struct tracked *t)
{
	__u64 cookie = BPF_CORE_READ((struct sock *)listener, __sk_common.skc_cookie.counter);

	if (cookie)
		bpf_map_update_elem(&servers, &cookie, &t->process, BPF_ANY);
	remember_server(sk, listener, t);
}

/* Corrects the owner at the close of a connection. Runs in the process that closes, which may not be the one that
 * opened; for multipath TCP it runs in a kernel worker, which is not an owner. */
static __always_inline void correct_owner(struct sock *sk, struct tracked *t)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 listener = 0;

	if (t->process.pid == task->tgid || !task->mm)
		return;
	if (!owner_doubtful(t) && !takes_over(sk, t, task, &listener))
		return;
	read_process(&t->process, task);
	if (listener)
		hand_over(sk, listener, t);
}

/* Gives a listener to the process that was seen to serve it, with all that it accepts from now on. */
static __always_inline void correct_listener(struct sock *sk, struct tracked *t)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct process *server = bpf_map_lookup_elem(&servers, &cookie);

	if (!server)
		return;
	t->process = *server;
	t->flags &= ~REPORTED;
	bpf_map_delete_elem(&servers, &cookie);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* BPF programs of a cgroup that run in connect(). A load balancer replaces a service's address with an endpoint's
 * there, so that no packet has the address that the application asked for. */
#ifndef NETCONN_HOOK_H
#define NETCONN_HOOK_H

#include "kernel.h"
#include "tracked.h"
#include <bpf/bpf_core_read.h>

static __always_inline bool first_program(struct cgroup *cgroup, __u32 type)
{
	struct bpf_prog_array *programs = cgroup->bpf.effective[type];

	return programs && programs->items[0].prog;
}

/* Reports whether a program of the socket's cgroup, or of a cgroup above it, runs in connect(). */
static __always_inline bool has_connect_hook(struct sock *sk)
{
	struct cgroup *cgroup;

	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup) ||
	    !bpf_core_enum_value_exists(enum cgroup_bpf_attach_type, CGROUP_INET4_CONNECT))
		return false;
	cgroup = sk->sk_cgrp_data.cgroup;
	if (!cgroup)
		return false;
	if (sk->__sk_common.skc_family == AF_INET)
		return first_program(cgroup, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET4_CONNECT));
	return first_program(cgroup, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET6_CONNECT));
}

/* Marks a socket that connects. One that connected before netconn saw it is marked by the programs of now. */
static __always_inline void mark_connect_hook(struct tracked *t, struct sock *sk)
{
	if (has_connect_hook(sk))
		t->flags |= CONNECT_HOOK;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* BPF programs of a cgroup that run in connect(). A load balancer replaces a service's address with an endpoint's
 * there, so that no packet has the address that the application asked for. */
#ifndef NETCONN_PROGRAMS_H
#define NETCONN_PROGRAMS_H

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Reports whether a program is one of netconn's (datagrams.bpf.c), which replaces no address. */
static __always_inline bool is_own(struct bpf_prog *program)
{
	char name[16] = {};
	struct bpf_prog_aux *aux = BPF_CORE_READ(program, aux);

	bpf_probe_read_kernel(name, sizeof(name), &aux->name);
	return !__builtin_memcmp(name, "netconn_", 8);
}

/* Reports whether a program of another owner is attached. Beyond eight programs one is taken to be. */
static __always_inline bool has_program(struct cgroup *cgroup, __u32 type)
{
	struct bpf_prog_array *programs = 0;
	struct bpf_prog_array_item *item;
	struct bpf_prog *program;

	bpf_probe_read_kernel(&programs, sizeof(programs), &cgroup->bpf.effective[type]);
	if (!programs)
		return false;
	for (int i = 0; i < 8; i++) {
		/* An index that varies is not relocated, and the kernel's item is larger than the one declared here. */
		item = (void *)&programs->items + i * bpf_core_type_size(struct bpf_prog_array_item);
		program = BPF_CORE_READ(item, prog);
		if (!program)
			return false;
		if (!is_own(program))
			return true;
	}
	return true;
}

/* Reports whether a program of the socket's cgroup, or of a cgroup above it, runs in connect(). */
static __always_inline bool has_connect_hook(struct sock *sk)
{
	struct cgroup *cgroup;

	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup) ||
	    !bpf_core_enum_value_exists(enum cgroup_bpf_attach_type, CGROUP_INET4_CONNECT))
		return false;
	cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	if (!cgroup)
		return false;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET)
		return has_program(cgroup, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET4_CONNECT));
	return has_program(cgroup, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET6_CONNECT));
}

#endif

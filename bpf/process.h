/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A task's process: its id, its cgroup, the name of its executable. They are read from the task and not from /proc, so
 * that a process which ends a millisecond later has a name. */
#ifndef NETCONN_PROCESS_H
#define NETCONN_PROCESS_H

#include "kernel.h"
#include "records.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

static __always_inline __u64 id_of(struct cgroup *cgroup)
{
	struct kernfs_node *kn = cgroup ? cgroup->kn : 0;

	return kn ? kn->id : 0;
}

static __always_inline bool is_v1(struct cgroup *cgroup)
{
	struct cgroup_root *root = cgroup ? cgroup->root : 0;

	return root && root->hierarchy_id;
}

/* Reports whether the kernel has the memory controller, and where its state is in subsys arrays. */
static __always_inline bool memory_controller(int *index)
{
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return false;
	*index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	return true;
}

/* On hosts with both versions of cgroups a container may be in version 1 only, where each controller has a hierarchy.
 * The memory controller's stands for all of them. */
static __always_inline __u64 cgroup_v1_id(struct css_set *set)
{
	struct cgroup_subsys_state *memory;
	int index;

	if (!memory_controller(&index))
		return 0;
	memory = set->subsys[index];
	return memory && is_v1(memory->cgroup) ? id_of(memory->cgroup) : 0;
}

/* Reports whether read_process may return this cgroup: it is one of version 2, or of the memory controller. */
static __always_inline bool may_own(struct cgroup *cgroup)
{
	int index;

	return !is_v1(cgroup) || (memory_controller(&index) && cgroup->subsys[index]);
}

/* A kernel thread has no executable; its own name replaces it. */
static __always_inline void read_process(struct process *out, struct task_struct *task)
{
	struct css_set *set = task->cgroups;
	struct mm_struct *mm = task->mm;
	struct file *exe = mm ? mm->exe_file : 0;
	struct dentry *dentry = exe ? exe->f_path.dentry : 0;

	out->pid = task->tgid;
	out->cgroup = set ? id_of(set->dfl_cgrp) : 0;
	out->cgroup_v1 = set ? cgroup_v1_id(set) : 0;
	out->reserved = 0;
	if (!dentry)
		bpf_probe_read_kernel_str(out->executable, EXECUTABLE_SIZE, task->comm);
	else
		bpf_probe_read_kernel_str(out->executable, EXECUTABLE_SIZE, dentry->d_name.name);
}

#endif

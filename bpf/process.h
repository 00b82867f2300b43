/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Who a task is: its process, its cgroup, the name of its executable. All of it is read from the task, not from /proc,
 * so that a process that is gone a millisecond later has a name. */
#ifndef NETCONN_PROCESS_H
#define NETCONN_PROCESS_H

#include "kernel.h"
#include "records.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* On hosts with both cgroup versions ordinary tasks stay in the root of version 2; what tells containers apart there is
 * the memory controller's hierarchy of version 1. */
static __always_inline __u64 cgroup_id(struct task_struct *task)
{
	struct css_set *set = task->cgroups;
	struct cgroup *cgroup;
	struct cgroup_subsys_state *memory;

	if (!set)
		return 0;
	cgroup = set->dfl_cgrp;
	if (cgroup && cgroup->level == 0 && bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		memory = set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)];
		if (memory)
			cgroup = memory->cgroup;
	}
	if (!cgroup || !cgroup->kn)
		return 0;
	return cgroup->kn->id;
}

/* A kernel thread has no executable: its own name stands for it. */
static __always_inline void read_process(struct process *out, struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	struct file *exe = mm ? mm->exe_file : 0;
	struct dentry *dentry = exe ? exe->f_path.dentry : 0;

	out->pid = task->tgid;
	out->cgroup = cgroup_id(task);
	out->reserved = 0;
	if (!dentry)
		bpf_probe_read_kernel_str(out->executable, EXECUTABLE_SIZE, task->comm);
	else
		bpf_probe_read_kernel_str(out->executable, EXECUTABLE_SIZE, dentry->d_name.name);
}

#endif

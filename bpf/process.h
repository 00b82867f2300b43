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
	struct kernfs_node *kn = cgroup->kn;
	struct cgroup_root *root = cgroup->root;

	if (!kn || !root)
		return 0;
	return root->hierarchy_id ? kn->id | 1ULL << CGROUP_V1_BIT : kn->id;
}

static __always_inline bool has_memory_controller(void)
{
	return bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id);
}

/* On hosts with both versions of cgroups ordinary tasks stay in the root of version 2. Containers differ there only in
 * the version 1 hierarchy of the memory controller. */
static __always_inline __u64 cgroup_id(struct task_struct *task)
{
	struct css_set *set = task->cgroups;
	struct cgroup *cgroup = set ? set->dfl_cgrp : 0;
	struct cgroup_subsys_state *memory;

	if (!cgroup)
		return 0;
	if (cgroup->level == 0 && has_memory_controller()) {
		memory = set->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)];
		if (memory && memory->cgroup)
			return id_of(memory->cgroup);
	}
	return id_of(cgroup);
}

/* Reports whether read_process may return this cgroup: it is one of version 2, or of the memory controller. */
static __always_inline bool may_own(struct cgroup *cgroup)
{
	struct cgroup_root *root = cgroup->root;

	if (root && root->hierarchy_id == 0)
		return true;
	return has_memory_controller() && cgroup->subsys[bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id)];
}

/* A kernel thread has no executable; its own name replaces it. */
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

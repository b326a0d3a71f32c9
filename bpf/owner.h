/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The process that holds a socket. */
#ifndef TCPSPAN_OWNER_H
#define TCPSPAN_OWNER_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"

/*
 * The process id in the tracer's pid namespace, 0 for a process outside of it.
 * (bpf_get_ns_current_pid_tgid fails for processes in child namespaces.)
 */
static __always_inline __u32 visible_pid(const struct task_struct *task)
{
	struct pid *pid;
	__u64 first;
	__u32 level;

	if (pid_namespace == PROC_PID_INIT_INO)
		return task->tgid;
	pid = task->signal->pids[PIDTYPE_TGID];
	first = (__u64)pid + field_offset(struct pid, numbers);
	level = pid->level;
	for (__u64 i = 0; i < MAX_PID_NS_LEVEL; i++) {
		struct pid_namespace *ns = NULL;
		__u32 inode = 0, nr = 0;
		void *number = (void *)(first + i * type_size(struct upid));

		if (i > level)
			break;
		bpf_probe_read_kernel(&ns, sizeof(ns), number + field_offset(struct upid, ns));
		bpf_probe_read_kernel(&inode, sizeof(inode),
				      (void *)ns + field_offset(struct pid_namespace, ns.inum));
		if (inode == pid_namespace) {
			bpf_probe_read_kernel(&nr, sizeof(nr),
					      number + field_offset(struct upid, nr));
			return nr;
		}
	}
	return 0;
}

/* Executables by name: the bytes of owner.exe, followed by zeros. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set before load, as below */
	__type(key, char[EXE_LEN]);
	__type(value, __u8);
} excluded_executables SEC(".maps");

/* Cgroups (v2) by id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} excluded_cgroups SEC(".maps");

/*
 * Whether a cgroup, or one above it, is excluded. Follows css.parent, which no
 * kernel renamed; cgroup.ancestors and kernfs_node.parent have changed.
 */
static __always_inline bool in_excluded_cgroup(const struct cgroup *cgroup)
{
	for (__u64 i = 0; i < MAX_CGROUP_DEPTH; i++) {
		const struct cgroup_subsys_state *parent = cgroup->self.parent;
		__u64 id = cgroup->kn->id;

		if (bpf_map_lookup_elem(&excluded_cgroups, &id))
			return true;
		if (!parent)
			break;
		cgroup = parent->cgroup;
	}
	return false;
}

/* Called when the owner is learnt: once or twice in a session's life, in its own process. */
static __always_inline bool is_excluded(const struct owner *owner, const struct task_struct *task)
{
	if (exclude_executables && bpf_map_lookup_elem(&excluded_executables, owner->exe))
		return true;
	return exclude_cgroups && in_excluded_cgroup(task->cgroups->dfl_cgrp);
}

static __always_inline void forget_owner(struct owner *owner)
{
	__builtin_memset(owner, 0, sizeof(*owner));
}

/*
 * For each pointer that is followed from a task, the verifier of Linux 6.4 and
 * later searches all of the kernel's types several times, which takes
 * milliseconds on each of the program's paths: use a helper instead if there is
 * one.
 */
static __always_inline void set_owner(struct owner *owner, const struct task_struct *task,
				      __u32 pid, __u32 uid, __u64 cgroup_id, __u8 source)
{
	const struct task_struct *leader = task->group_leader;
	/* io_uring's workers have names of the kernel's: iou-wrk-PID, iou-sqp-PID */
	const struct task_struct *named_thread = task->flags & PF_IO_WORKER ? leader : task;
	__u64 start = leader->start_boottime;
	__u32 exec_id = task->self_exec_id;
	bool same = owner->pid == pid && owner->process_start_ns == start;
	bool named = same && owner->exec_id == exec_id && owner->exe[0];
	struct mm_struct *mm = task->mm;

	owner->pid = pid;
	owner->uid = uid;
	owner->source = source;
	owner->exec_id = exec_id;
	owner->process_start_ns = start;
	owner->cgroup_id = cgroup_id;
	bpf_probe_read_kernel(owner->comm, sizeof(owner->comm), named_thread->comm);
	if (named)
		return;
	if (mm) {
		const unsigned char *name = mm->exe_file->f_path.dentry->d_name.name;

		if (exclude_executables) /* it is a key: clear the rest of an older name */
			__builtin_memset(owner->exe, 0, sizeof(owner->exe));
		bpf_probe_read_kernel_str(owner->exe, sizeof(owner->exe), name);
	} else if (!same) { /* an exiting process has no memory, but keeps the name it had */
		__builtin_memset(owner->exe, 0, sizeof(owner->exe));
	}
	owner->excluded = is_excluded(owner, task);
}

/*
 * Takes the running process as the owner. That is right only if it holds the
 * socket's lock. `ss -K`, kernel threads and the tracer hold it as well,
 * without owning the socket.
 */
static __always_inline void learn_owner(struct owner *owner, const struct sock *sk, __u8 source)
{
	struct task_struct *task;
	__u32 pid;

	if (owner->source >= source)
		return;
	task = bpf_get_current_task_btf();
	if ((task->flags & PF_KTHREAD) || sk->sk_err == ECONNABORTED)
		return;
	pid = visible_pid(task);
	if (pid == own_pid && source != OWNER_CONNECT && source != OWNER_LISTEN)
		return;
	set_owner(owner, task, pid, bpf_get_current_uid_gid(), bpf_get_current_cgroup_id(),
		  source);
}

/* If no process is known to have held the socket, takes the process of its last event. */
static __always_inline void learn_last_owner(struct owner *owner, const struct sock *sk)
{
	if (owner->source < OWNER_FD_TABLE && sk->sk_lock.owned)
		learn_owner(owner, sk, OWNER_CLOSE);
}

#endif

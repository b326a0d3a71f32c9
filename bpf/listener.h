/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Listeners that close. The kernel closes the sockets that nobody accepted within
 * their listener's close, on the same thread. That listener may be another one than
 * the one that they were copied from: net.ipv4.tcp_migrate_req.
 */
#ifndef TCPSPAN_LISTENER_H
#define TCPSPAN_LISTENER_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "live.h"

/* The owner of the listener that a thread closes, by the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, struct owner);
} closing_listeners SEC(".maps");

static __always_inline void note_closing_listener(struct sock *sk)
{
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	__u64 thread = bpf_get_current_pid_tgid();

	if (live && live->role == ROLE_LISTENER)
		bpf_map_update_elem(&closing_listeners, &thread, &live->owner, 0);
}

static __always_inline void forget_closing_listener(void)
{
	__u64 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&closing_listeners, &thread);
}

/* Whether no process has accepted a listener's child. */
static __always_inline bool is_unaccepted(const struct sock *sk, const struct live *live)
{
	return !sk->sk_socket && live->role == ROLE_PASSIVE && live->owner.source <= OWNER_LISTEN;
}

/*
 * An unaccepted socket that ends without an error is closed by its listener,
 * inet_child_forget(): takes over that listener's owner.
 */
static __always_inline void learn_closing_listener(struct live *live, const struct sock *sk)
{
	__u64 thread;
	const struct owner *closing;

	if (live->owner.source != OWNER_LISTEN || !is_unaccepted(sk, live) || sk->sk_err)
		return;
	thread = bpf_get_current_pid_tgid();
	closing = bpf_map_lookup_elem(&closing_listeners, &thread);
	if (closing && closing->source)
		live->owner = *closing;
}

#endif

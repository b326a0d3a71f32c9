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
#include "owner.h"

/* The owner of the listener that a thread closes, by the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, struct owner);
} closing_listeners SEC(".maps");

/* Listeners that closed with sockets in their queue, by address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, __u8);
} closed_listeners SEC(".maps");

static __always_inline void note_closing_listener(struct sock *sk)
{
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 thread = bpf_get_current_pid_tgid();
	__u64 address = (__u64)sk;
	__u8 present = 1;

	if (!live || live->role != ROLE_LISTENER || !tp ||
	    !tp->inet_conn.icsk_accept_queue.rskq_accept_head)
		return;
	bpf_map_update_elem(&closing_listeners, &thread, &live->owner, 0);
	bpf_map_update_elem(&closed_listeners, &address, &present, 0);
}

/* Another listener may get the memory of one that closed. */
static __always_inline void note_new_listener(struct live *live, const struct sock *sk)
{
	live->listener = (__u64)sk;
	bpf_map_delete_elem(&closed_listeners, &live->listener);
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

/* An unaccepted socket that outlives its listener has moved to another (tcp_migrate_req). Which, nothing shows. */
static __always_inline void forget_closed_listener(struct live *live, const struct sock *sk)
{
	if (live->owner.source == OWNER_LISTEN && is_unaccepted(sk, live) &&
	    bpf_map_lookup_elem(&closed_listeners, &live->listener))
		forget_owner(&live->owner);
}

/*
 * An unaccepted socket that ends without an error is closed by its listener,
 * inet_child_forget(): takes over that listener's owner.
 */
static __always_inline void learn_closing_listener(struct live *live, const struct sock *sk)
{
	const struct owner *closing;
	__u64 thread;

	if (!live->listener || !is_unaccepted(sk, live)) /* its start was seen */
		return;
	thread = bpf_get_current_pid_tgid();
	closing = sk->sk_err ? NULL : bpf_map_lookup_elem(&closing_listeners, &thread);
	if (closing && closing->source)
		live->owner = *closing;
	else
		forget_closed_listener(live, sk);
}

#endif

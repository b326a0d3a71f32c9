/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Iterators that user space runs: over what was open before the start, and over
 * what is still open. Those over files see each socket that a process has a
 * descriptor of, in all network namespaces; those over sockets see all of one
 * namespace, and hold the sockets' locks since Linux 5.15. A socket that both
 * see is taken once. Each report makes its walk write a byte, so that the
 * reader's buffer limits how many come at once.
 */
#ifndef TCPSPAN_WALKS_H
#define TCPSPAN_WALKS_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"
#include "live.h"
#include "numbers.h"
#include "owner.h"
#include "own.h"
#include "mptcp.h"
#include "listener.h"
#include "sampling.h"
#include "sockmap.h"
#include "report.h"

/* The socket behind a descriptor, of whatever protocol. */
static __always_inline struct sock *any_socket_of(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket;

	if (!ctx->task || !file)
		return NULL;
	socket = bpf_sock_from_file(file);
	return socket ? socket->sk : NULL;
}

/* The socket behind a descriptor; NULL if it is not a TCP socket. */
static __always_inline struct sock *socket_of(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = any_socket_of(ctx);

	return sk && is_tcp(sk) ? sk : NULL;
}

/* The state of a socket that was open before the start; NULL if there is none to keep. */
static __always_inline struct live *existing(struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct live *live;

	if (state == TCP_CLOSE || (state != TCP_LISTEN && !report_existing))
		return NULL;
	live = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (live)
		note_sockmap(live, sk);
	return live;
}

static __always_inline void note_listener(struct live *live, const struct sock *sk)
{
	live->role = ROLE_LISTENER;
	live->listener = (__u64)sk;
}

/* The owner of a socket that was open before the start; NULL if there is none to keep. */
static __always_inline struct owner *existing_owner(struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;
	struct connection *connection;
	struct live *live;

	if (is_connection(sk)) {
		connection = state == TCP_CLOSE ? NULL : connection_at((__u64)sk);
		return connection ? &connection->owner : NULL;
	}
	if (!is_tcp(sk))
		return NULL;
	live = existing(sk);
	if (!live)
		return NULL;
	if (live->role == ROLE_UNKNOWN && state == TCP_LISTEN)
		note_listener(live, sk);
	return &live->owner;
}

/* Makes a process that has a descriptor of a socket its owner, if it has none yet. */
SEC("iter/task_file")
int seed_owner(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = any_socket_of(ctx);
	struct task_struct *task = ctx->task;
	struct owner *owner = sk ? existing_owner(sk) : NULL;
	__u32 pid;

	if (!sk || !task || !owner || owner->source != OWNER_UNKNOWN)
		return 0;
	pid = visible_pid(task);
	set_owner(owner, task, pid, task->cred->uid.val, task->cgroups->dfl_cgrp->kn->id,
		  sk->__sk_common.skc_state == TCP_LISTEN ? OWNER_LISTEN : OWNER_FD_TABLE);
	return 0;
}

/* Learns which end opened. */
SEC("iter/tcp")
int seed_role(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp;
	struct sock *sk;
	struct live *live;
	__u8 state;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common); /* NULL for requests and TIME_WAIT */
	if (!tp)
		return 0;
	sk = &tp->inet_conn.icsk_inet.sk;
	live = existing(sk);
	if (!live || live->role != ROLE_UNKNOWN)
		return 0;
	state = sk->__sk_common.skc_state;
	if (state == TCP_LISTEN)
		note_listener(live, sk);
	else
		live->role = infer_role_unlocked(tp, state);
	if (is_subflow(tp)) /* those that a listener's socket accepts begin with its owner */
		note_connection(live, sk, tp);
	return 0;
}

/* A session that was reported is due at each walk: walks are about an interval apart. */
static __always_inline bool is_due(const struct live *live, __u64 now)
{
	if (!interim_ns)
		return false;
	if (live->interim_ns)
		return now - live->interim_ns >= interim_ns / 2;
	return now - start_of(live, now) >= interim_ns;
}

#define MOST_TRIES 4

/* For use without the lock: reads again if the numbers moved. */
static __always_inline bool read_settled_numbers(struct numbers *numbers, const struct tcp_sock *tp)
{
	struct numbers again;

	for (__u64 i = 0; i < MOST_TRIES; i++) {
		read_numbers(numbers, tp);
		barrier();
		read_numbers(&again, tp);
		if (are_equal(numbers, &again))
			return true;
	}
	return false;
}

/* Whether no counter has moved since the record was filled. */
static __always_inline bool has_counters_of(const struct record *record, const struct tcp_sock *tp)
{
	return record->snd_una == tp->snd_una && record->bytes_acked == tp->bytes_acked &&
	       record->rcv_nxt == tp->rcv_nxt && record->bytes_received == tp->bytes_received;
}

/* Whether the counters fit the record's role; the last try takes what is there. */
static __always_inline bool has_role_of(const struct record *record, const struct tcp_sock *tp,
					__u8 state, bool is_last_try)
{
	return record->role == infer_role(tp, state) || is_last_try;
}

/*
 * Reports a session that is open if its trace id is final: after the handshake,
 * and with a known role. The last round reports all sessions that were open when
 * it began.
 */
static __always_inline void report_open(struct sock *sk, struct tcp_sock *tp, struct seq_file *seq)
{
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	__u8 state = sk->__sk_common.skc_state;
	__u64 now = bpf_ktime_get_boot_ns();
	struct record *record;
	bool consistent = false;
	__u32 flags = 0;

	if (!live || live->reported || live->role == ROLE_LISTENER)
		return;
	if (state == TCP_CLOSE || state == TCP_LISTEN)
		return;
	if (live->interim_ns >= round_began_ns) /* seen before in this round */
		return;
	if (last_round) {
		if (live->start_ns > round_began_ns)
			return;
	} else if (state == TCP_SYN_SENT || state == TCP_SYN_RECV ||
		   live->role == ROLE_UNKNOWN || !is_due(live, now)) {
		return;
	}
	note_sockmap(live, sk);
	forget_closed_listener(live, sk);
	if (is_subflow(tp))
		note_connection(live, sk, tp);
	if (is_own(live, tp) || !wants_address(sk, tp) || !wants_size(live, sk, tp, state) ||
	    !wants_owner(&live->owner))
		return;
	if (!live->start_ns) /* part of the ids of a session that cannot be joined */
		live->start_ns = start_of(live, now);
	if (sampling) {
		struct numbers numbers;

		if (!read_settled_numbers(&numbers, tp))
			return;
		if (!is_sampled(sk, tp, live, &numbers, state, 0)) {
			live->interim_ns = now;
			__sync_fetch_and_add(&sampled_out, 1);
			return;
		}
		flags = FLAG_SAMPLED;
	}
	if (!is_within_cap()) {
		live->interim_ns = now;
		return;
	}
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		if (last_round) { /* else there is another walk */
			live->interim_ns = now;
			__sync_fetch_and_add(&lost_ring_full, 1);
		}
		return;
	}
	/* read the counters again if they moved, or do not fit */
	for (__u64 i = 0; i < MOST_TRIES && !consistent; i++) {
		state = sk->__sk_common.skc_state;
		fill(record, sk, tp, live, state, flags);
		barrier();
		consistent = has_counters_of(record, tp) && state == sk->__sk_common.skc_state &&
			     has_role_of(record, tp, state, i == MOST_TRIES - 1);
	}
	if (state == TCP_CLOSE || state == TCP_LISTEN) /* its end reports it */
		consistent = false;
	if (!consistent) {
		bpf_ringbuf_discard(record, 0);
		return;
	}
	live->interim_ns = record->end_ns;
	record->interim = ++live->interim;
	bpf_ringbuf_submit(record, 0);
	bpf_seq_write(seq, "r", 1);
}

SEC("iter/task_file")
int report_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx);
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (tp)
		report_open(sk, tp, ctx->meta->seq);
	return 0;
}

SEC("iter/tcp")
int report_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp = common ? bpf_skc_to_tcp_sock(common) : NULL;

	if (tp)
		report_open(&tp->inet_conn.icsk_inet.sk, tp, ctx->meta->seq);
	return 0;
}

/* Counts a session that is open, for the balance at the end. */
static __always_inline void count_open(struct sock *sk)
{
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (live && live->counted) {
		live->counted = false; /* its end is not counted any more */
		__sync_fetch_and_add(&still_open, 1);
	}
}

SEC("iter/task_file")
int count_files(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx);

	if (sk)
		count_open(sk);
	return 0;
}

SEC("iter/tcp")
int count_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tcp_sock *tp = common ? bpf_skc_to_tcp_sock(common) : NULL;

	if (tp)
		count_open(&tp->inet_conn.icsk_inet.sk);
	return 0;
}

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Iterators that user space runs: over what was open before the start, and over
 * what is open still. Each writes a byte for each record that it makes, so that
 * the reader's buffer limits how many come at once.
 */
#ifndef TCPSPAN_WALKS_H
#define TCPSPAN_WALKS_H

/* The state of a socket that was open before the start; NULL if there is none to keep. */
static __always_inline struct live *existing(struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;

	if (!is_tcp(sk) || state == TCP_CLOSE ||
	    (state != TCP_LISTEN && !report_existing))
		return NULL;
	return bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Takes the process that has a descriptor of it as the owner of a socket without one. */
SEC("iter/task_file")
int seed_owner(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct live *live;
	__u32 pid;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	live = existing(socket->sk);
	if (!live || live->owner.source != OWNER_UNKNOWN)
		return 0;
	if (live->role == ROLE_UNKNOWN && socket->sk->__sk_common.skc_state == TCP_LISTEN)
		live->role = ROLE_LISTENER;
	pid = visible_pid(task);
	set_owner(&live->owner, task, pid, task->cred->uid.val,
		  task->cgroups->dfl_cgrp->kn->id,
		  live->role == ROLE_LISTENER ? OWNER_LISTEN : OWNER_FD_TABLE);
	return 0;
}

/*
 * Learns who opened. One network namespace a time. The iterator holds the
 * socket's lock since Linux 5.15.
 */
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
	live->role = state == TCP_LISTEN ? ROLE_LISTENER : infer_role_unlocked(tp, state);
	return 0;
}

/* Once a session has been reported, it is at each walk: they are an interval apart, nearly. */
static __always_inline bool is_due(const struct live *live, __u64 now)
{
	if (!interim_ns)
		return false;
	if (live->interim_ns)
		return now - live->interim_ns >= interim_ns / 2;
	return now - start_of(live, now) >= interim_ns;
}

#define MOST_TRIES 4

/* Its next report is due an interval later, and none in this last round. */
static __always_inline void note_turn(struct live *live, __u64 now)
{
	live->interim_ns = now;
	live->last_reported = last_round != 0;
}

/* Where the lock is not held: reads again if they moved. */
static __always_inline bool read_settled_numbers(struct numbers *numbers, const struct tcp_sock *tp)
{
	struct numbers again;

	for (int i = 0; i < MOST_TRIES; i++) {
		read_numbers(numbers, tp);
		barrier();
		read_numbers(&again, tp);
		if (numbers->snd_una == again.snd_una && numbers->rcv_nxt == again.rcv_nxt &&
		    numbers->bytes_acked == again.bytes_acked &&
		    numbers->bytes_received == again.bytes_received)
			return true;
	}
	return false;
}

/*
 * Reports a session that is open: one whose trace id is known for good, which it
 * is not before the handshake's end, or without a role. In the last round all
 * that were open when it began.
 */
SEC("iter/bpf_sk_storage_map")
int report_open(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct live *live = ctx->value;
	struct sock *sk = ctx->sk;
	__u64 now = bpf_ktime_get_boot_ns();
	struct record *record;
	struct tcp_sock *tp;
	bool consistent = false, is_last = last_round != 0;
	__u32 flags = 0;
	__u8 state;

	if (!live || !sk || live->reported || live->role == ROLE_LISTENER)
		return 0;
	state = sk->__sk_common.skc_state;
	if (state == TCP_CLOSE || state == TCP_LISTEN)
		return 0;
	if (is_last) {
		if (live->last_reported || live->start_ns > last_round)
			return 0;
	} else if (state == TCP_SYN_SENT || state == TCP_SYN_RECV ||
		   live->role == ROLE_UNKNOWN || !is_due(live, now)) {
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || is_own(live, tp) || !wants_address(sk, tp) || !wants_size(live, sk, tp, state) || !wants_owner(&live->owner))
		return 0;
	if (!live->start_ns) /* part of the ids of a session that cannot be joined */
		live->start_ns = start_of(live, now);
	if (sampling) {
		struct numbers numbers;

		if (!read_settled_numbers(&numbers, tp))
			return 0;
		if (!is_sampled(sk, tp, live, &numbers, state, 0)) {
			note_turn(live, now);
			__sync_fetch_and_add(&sampled_out, 1);
			return 0;
		}
		flags = FLAG_SAMPLED;
	}
	if (!is_within_cap()) {
		note_turn(live, now);
		return 0;
	}
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		if (is_last) /* else there is another walk */
			__sync_fetch_and_add(&lost_ring_full, 1);
		return 0;
	}
	/* the lock is not held here: take the counters again if they moved, or do not fit */
	for (int i = 0; i < MOST_TRIES && !consistent; i++) {
		state = sk->__sk_common.skc_state;
		fill(record, sk, tp, live, state, flags);
		barrier();
		consistent = record->snd_una == tp->snd_una && record->bytes_acked == tp->bytes_acked &&
			     record->rcv_nxt == tp->rcv_nxt &&
			     record->bytes_received == tp->bytes_received &&
			     state == sk->__sk_common.skc_state &&
			     (record->role == infer_role(tp, state) || i == MOST_TRIES - 1);
	}
	if (state == TCP_CLOSE || state == TCP_LISTEN) /* its end tells */
		consistent = false;
	if (!consistent) {
		bpf_ringbuf_discard(record, 0);
		return 0;
	}
	note_turn(live, record->end_ns);
	record->interim = ++live->interim;
	bpf_ringbuf_submit(record, 0);
	bpf_seq_write(ctx->meta->seq, "r", 1);
	return 0;
}

/* Counts the sessions that are open, for the balance at the end. */
SEC("iter/bpf_sk_storage_map")
int count_open(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct live *live = ctx->value;

	if (live && live->counted) {
		live->counted = false; /* its end is not counted any more */
		__sync_fetch_and_add(&still_open, 1);
	}
	return 0;
}

/* Hands over the reports that still wait for their sockets' close. */
SEC("iter/bpf_sk_storage_map")
int release_waiting(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct record *held = ctx->value;
	struct sock *sk = ctx->sk;
	struct live *live;

	if (!held || !sk)
		return 0;
	live = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!live || !live->waiting) /* it is just being written */
		return 0;
	if (bpf_ktime_get_boot_ns() - held->end_ns < least_wait_ns)
		return 0;
	if (release(held, sk, least_wait_ns != 0))
		bpf_seq_write(ctx->meta->seq, "r", 1);
	return 0;
}

#endif

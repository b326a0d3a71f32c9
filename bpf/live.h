/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What is known of a socket while it lives. */
#ifndef TCPSPAN_LIVE_H
#define TCPSPAN_LIVE_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"

/* Kept small: a clone that fails makes the kernel drop the connection. */
struct live {
	__u64 start_ns;
	__u64 established_ns;
	__u64 fin_sent_ns;
	__u64 fin_received_ns;
	__u64 interim_ns; /* of the last report of the session while open */
	__u64 listener;   /* address of the listening socket that this is, or was copied from */
	struct owner owner;
	__u32 handshake_rtt_us;
	__u32 flags;      /* enum record_flags, those known before the end */
	__u32 interim;    /* reports of the session while open */
	__u32 data_segs_in; /* when both directions were shut down, if that sent the FIN */
	__u32 mptcp_token;  /* of the MPTCP connection that it is a subflow of; 0: none */
	__u32 moved_unread; /* bytes that MPTCP took from it, and that no process has read */
	__u8 role;
	__u8 last_state;  /* the state entered last, for the backstop */
	bool counted;       /* in a tally */
	bool closed;        /* both directions are shut down, which sent the FIN */
	bool reported;
	bool waiting;       /* its report waits for its close */
	bool own;           /* the tracer's own, or a child of its listener */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct live);
} sockets SEC(".maps");

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP && (family == AF_INET || family == AF_INET6);
}

static __always_inline void count_open_sessions(__s64 more)
{
	__sync_fetch_and_add(&tallies[bpf_get_smp_processor_id() % MAX_CPUS].open, more);
}

/* Starts a session, or another attempt on the same socket. Keeps the owner. */
static __always_inline void begin(struct live *live, __u8 role, __u32 flags)
{
	live->start_ns = bpf_ktime_get_boot_ns();
	live->counted = role != ROLE_LISTENER && (!count_until || live->start_ns <= count_until);
	if (live->counted)
		count_open_sessions(1);
	live->established_ns = 0;
	live->fin_sent_ns = 0;
	live->fin_received_ns = 0;
	live->interim_ns = 0;
	live->handshake_rtt_us = 0;
	live->flags = flags;
	live->interim = 0;
	live->mptcp_token = 0;
	live->moved_unread = 0;
	live->role = role;
	live->closed = false;
	live->reported = false;
	live->waiting = false;
}

/* Marks the session as over, with or without a report, so that it is reported once at most. */
static __always_inline void finish(struct live *live)
{
	live->reported = true;
	if (live->counted)
		count_open_sessions(-1);
	live->counted = false;
}

/* A child still has its listener's state if its first events were missed. */
static __always_inline void adopt(struct live *live)
{
	if (live->role == ROLE_LISTENER)
		begin(live, ROLE_PASSIVE, 0);
}

/* Whether this end's FIN was queued, in a state before CLOSE. */
static __always_inline bool has_queued_fin(__u8 state)
{
	const __u32 states = 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSING |
			     1 << TCP_LAST_ACK;

	return 1 << (state & 31) & states;
}

/*
 * The role of a socket whose start was not seen. bytes_acked counts the SYN of
 * the active end: what was acknowledged or is in flight, minus what was sent,
 * is 1 for the active end and 0 for the passive one. The socket's lock must be
 * held.
 */
static __always_inline __u8 infer_role(const struct tcp_sock *tp, __u8 state)
{
	__u32 snd_nxt = tp->snd_nxt;
	__u64 syn = tp->bytes_acked + (__u32)(snd_nxt - tp->snd_una) -
		    (tp->bytes_sent - tp->bytes_retrans) -
		    (has_queued_fin(state) && snd_nxt == tp->write_seq);

	return syn == 1 ? ROLE_ACTIVE : syn == 0 ? ROLE_PASSIVE : ROLE_UNKNOWN;
}

/* The same without the lock: unknown if the counters move between two reads. */
static __always_inline __u8 infer_role_unlocked(const struct tcp_sock *tp, __u8 state)
{
	__u8 role = infer_role(tp, state);

	barrier();
	return role == infer_role(tp, state) ? role : ROLE_UNKNOWN;
}

static __always_inline __u8 role_of(const struct live *live, const struct tcp_sock *tp, __u8 state)
{
	return live->role ? live->role : infer_role(tp, state);
}

/* The start; for a session that was open before the tracer, the earliest one known to be true. */
static __always_inline __u64 start_of(const struct live *live, __u64 end)
{
	__u64 start = live->start_ns;

	if (!start)
		start = live->owner.process_start_ns > tracing_since_ns ?
				live->owner.process_start_ns : tracing_since_ns;
	return start < end ? start : end;
}

static __always_inline __u64 cookie_of(struct sock *sk)
{
	return LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 12, 0) ?
		       bpf_get_socket_cookie(sk) :
		       (__u64)sk->__sk_common.skc_cookie.counter;
}

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The tracer's own sessions, at both ends on this host. If they were traced,
 * each export would make a session, which would be exported.
 */
#ifndef TCPSPAN_OWN_H
#define TCPSPAN_OWN_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"
#include "live.h"
#include "numbers.h"

#define MAX_OWN_SESSIONS 4096

/* Initial sequence numbers of the active and of the passive end. */
struct own_session {
	__u32 active;
	__u32 passive;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_OWN_SESSIONS);
	__type(key, struct own_session);
	__type(value, __u8);
} own_sessions SEC(".maps");

/* Called when a socket begins to connect or to listen: its owner is known now or never. */
static __always_inline void note_opener(struct live *live)
{
	live->own = !own_traffic && live->owner.source && live->owner.pid == own_pid;
}

/* Remembers an established session, so that its other end is known when it ends. */
static __always_inline void note_own_session(const struct live *live, const struct sock *sk,
					     const struct tcp_sock *tp)
{
	struct own_session session;
	struct numbers numbers;
	__u8 present = 1;

	if (own_traffic || !live->own || live->role != ROLE_ACTIVE)
		return;
	read_numbers(&numbers, tp);
	session.active = local_initial(&numbers, ROLE_ACTIVE);
	session.passive = peer_initial(&numbers);
	own_peer_ports[from_network16(sk->__sk_common.skc_dport) & 0xff] = 1;
	bpf_map_update_elem(&own_sessions, &session, &present, 0);
}

/* Whether this is an end of one of the tracer's own sessions. */
static __always_inline bool is_own(const struct live *live, const struct tcp_sock *tp)
{
	struct own_session session;
	struct numbers numbers;

	if (own_traffic)
		return false;
	if (live->own)
		return true;
	if (live->role != ROLE_PASSIVE ||
	    !own_peer_ports[from_network16(tp->inet_conn.icsk_inet.inet_sport) & 0xff])
		return false;
	read_numbers(&numbers, tp);
	session.active = peer_initial(&numbers);
	session.passive = local_initial(&numbers, ROLE_PASSIVE);
	return bpf_map_lookup_elem(&own_sessions, &session);
}

#endif

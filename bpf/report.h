/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* From a socket to a record in the ring. */
#ifndef TCPSPAN_REPORT_H
#define TCPSPAN_REPORT_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"
#include "live.h"
#include "numbers.h"
#include "owner.h"
#include "own.h"
#include "mptcp.h"
#include "sampling.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* bytes; set before load */
} ring SEC(".maps");

#define MAX_WAITING 16384

/*
 * Reports that wait until their socket's process closes it, by the socket's cookie.
 * User space takes those that wait too long: src/capture/waiting_reports.ts. Only
 * the one who deletes a report may deliver it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_WAITING);
	__type(key, __u64);
	__type(value, struct record);
} waiting SEC(".maps");

static const struct record _no_record = {}; /* a waiting report before it is filled */

static __always_inline bool wants_port(const volatile __u8 *ports, __u16 port)
{
	__u32 bounded = port;

	/* Verifiers of 6.1 expect any number from a byte swap: the mask must stay. */
	asm volatile("%0 &= 0xffff" : "+r"(bounded));
	return ports[bounded >> 3] & (1 << (bounded & 7));
}

/* Networks of peers, of both lists and both families. */
struct network_key {
	__u32 prefix_length; /* of what follows, in bits */
	__u16 list;          /* enum network_list */
	__u16 family;
	__u32 address[4];    /* network order; IPv4: the first */
};

enum network_list {
	NETWORKS_INCLUDED = 0,
	NETWORKS_EXCLUDED = 1,
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* set before load */
	__type(key, struct network_key);
	__type(value, __u8);
} networks SEC(".maps");

static __always_inline bool wants_owner(const struct owner *owner)
{
	if ((exclude_executables || exclude_cgroups) && owner->excluded)
		return false;
	if (!filter_pid_count)
		return true;
	for (__u64 i = 0; i < MAX_PIDS; i++) {
		if (i >= filter_pid_count)
			break;
		if (filter_pids[i] == owner->pid)
			return true;
	}
	return false;
}

static __always_inline bool is_mapped(const struct in6_addr *address)
{
	return address->in6_u.u6_addr32[0] == 0 && address->in6_u.u6_addr32[1] == 0 &&
	       address->in6_u.u6_addr32[2] == to_network32(0xffff);
}

/* The family of the packets: an IPv4 peer of a dual-stack socket is IPv4. */
static __always_inline __u16 packet_family(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	if (family == AF_INET6 && is_mapped(&sk->__sk_common.skc_v6_daddr))
		return AF_INET;
	return family;
}

/* skc_num is already 0 at the end of auto-bound and accepted sockets. */
static __always_inline __u16 local_port(const struct tcp_sock *tp)
{
	return from_network16(tp->inet_conn.icsk_inet.inet_sport);
}

/* An address of the packets' family; an IPv4 one lies in the first word. */
static __always_inline void read_address(__u32 *to, const struct sock *sk, __u16 family,
					 __be32 ipv4, const struct in6_addr *ipv6)
{
	if (sk->__sk_common.skc_family == AF_INET) {
		to[0] = ipv4;
	} else if (family == AF_INET) {
		to[0] = ipv6->in6_u.u6_addr32[3];
	} else {
		for (__u64 i = 0; i < 4; i++)
			to[i] = ipv6->in6_u.u6_addr32[i];
		return;
	}
	for (__u64 i = 1; i < 4; i++)
		to[i] = 0;
}

static __always_inline void read_local_address(__u32 *to, const struct sock *sk, __u16 family)
{
	read_address(to, sk, family, sk->__sk_common.skc_rcv_saddr,
		     &sk->__sk_common.skc_v6_rcv_saddr);
}

static __always_inline void read_peer_address(__u32 *to, const struct sock *sk, __u16 family)
{
	read_address(to, sk, family, sk->__sk_common.skc_daddr, &sk->__sk_common.skc_v6_daddr);
}

static __always_inline bool has_peer_in(enum network_list list, const struct sock *sk)
{
	struct network_key key = { .list = list, .family = packet_family(sk) };

	key.prefix_length = key.family == AF_INET ? 32 + 32 : 32 + 128;
	read_peer_address(key.address, sk, key.family);
	return bpf_map_lookup_elem(&networks, &key);
}

static __always_inline bool wants_address(const struct sock *sk, const struct tcp_sock *tp)
{
	__u16 peer_port = from_network16(sk->__sk_common.skc_dport);

	if (filter_family && packet_family(sk) != filter_family)
		return false;
	if (filter_local_ports && !wants_port(local_ports, local_port(tp)))
		return false;
	if (filter_peer_ports && !wants_port(peer_ports, peer_port))
		return false;
	if (exclude_networks && has_peer_in(NETWORKS_EXCLUDED, sk))
		return false;
	return !include_networks || has_peer_in(NETWORKS_INCLUDED, sk);
}

/* The peer's FIN, in order: tcp_fin(). */
static __always_inline bool has_received_fin(const struct sock *sk)
{
	return sk->__sk_common.skc_flags & (1UL << SOCK_DONE);
}

/* Session.txBytes and rxBytes: the kernel's counters count SYN and FINs. */
static __always_inline __u64 payload_of(const struct live *live, const struct sock *sk,
					const struct tcp_sock *tp, __u8 state)
{
	__u64 bytes = tp->bytes_acked + tp->bytes_received;
	__u64 other = 0;

	if (live->role == ROLE_ACTIVE && tp->bytes_acked && !(live->flags & FLAG_RESTORED))
		other++;
	if (has_queued_fin(state) && tp->snd_una == tp->write_seq)
		other++;
	if (has_received_fin(sk))
		other++;
	return bytes > other ? bytes - other : 0;
}

/* May let through a little more than what is wanted: src/capture/selection.ts is exact. */
static __always_inline bool wants_size(const struct live *live, const struct sock *sk,
				       const struct tcp_sock *tp, __u8 state)
{
	__u64 now;

	if (min_bytes && payload_of(live, sk, tp, state) < min_bytes)
		return false;
	if (!min_duration_ns)
		return true;
	now = bpf_ktime_get_boot_ns();
	/* a passive end's start is set back by the round trip */
	return now - start_of(live, now) + live->handshake_rtt_us * 1000ULL >= min_duration_ns;
}

static __always_inline __u32 socket_flags(const struct tcp_sock *tp, const struct sock *sk)
{
	unsigned long sock_flags = sk->__sk_common.skc_flags;
	__u32 flags = 0;

	if (has_received_fin(sk))
		flags |= FLAG_SOCK_DONE;
	if ((sock_flags & (1UL << SOCK_LINGER)) && sk->sk_lingertime == 0)
		flags |= FLAG_LINGER_ZERO;
	if (sk->sk_lock.owned)
		flags |= FLAG_OWNED;
	if (READ_BITFIELD(tp, repair))
		flags |= FLAG_REPAIR;
	return flags;
}

/*
 * Whether no process can read from it any more: it is orphaned, or is being
 * closed. After both ends' FINs a process can still read from a socket that it
 * holds.
 */
static __always_inline bool is_all_read(const struct sock *sk, __u8 last_state)
{
	bool fin_done = last_state == TCP_FIN_WAIT2 || last_state == TCP_CLOSING ||
			last_state == TCP_LAST_ACK;

	if (!sk->sk_socket)
		return true;
	return sk->sk_shutdown == SHUTDOWN_MASK && sk->sk_lock.owned && !sk->sk_err &&
	       !(fin_done && has_received_fin(sk));
}

/*
 * tcp_sock.copied_seq, less what MPTCP took without a process reading it. The
 * peer's FIN is part of what is unread, if anything is.
 */
static __always_inline __u32 read_up_to(const struct live *live, const struct tcp_sock *tp,
					__u32 fin)
{
	__u32 copied = tp->copied_seq;

	if (live->moved_unread)
		copied -= live->moved_unread + (tp->rcv_nxt == copied && fin);
	return copied;
}

static __always_inline void fill(struct record *record, struct sock *sk, const struct tcp_sock *tp,
				 const struct live *live, __u8 state, __u32 flags)
{
	__u64 now = bpf_ktime_get_boot_ns();

	record->wall_offset_ns = LINUX_KERNEL_VERSION >= KERNEL_VERSION(6, 1, 0) ?
					 bpf_ktime_get_tai_ns() - now : 0;
	record->end_ns = now;
	record->start_ns = start_of(live, now);
	record->established_ns = live->established_ns;
	record->fin_sent_ns = live->fin_sent_ns;
	record->fin_received_ns = live->fin_received_ns;
	record->cookie = cookie_of(sk);
	record->bytes_acked = tp->bytes_acked;
	record->bytes_received = tp->bytes_received;
	record->owner = live->owner;
	/* through tp, which the verifier does not trust: see set_owner() */
	record->netns = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum;
	record->snd_una = tp->snd_una;
	record->write_seq = tp->write_seq;
	record->rcv_nxt = tp->rcv_nxt;
	record->copied_seq = read_up_to(live, tp, has_received_fin(sk));
	record->data_segs_in = tp->data_segs_in;
	record->data_segs_out = tp->data_segs_out;
	record->total_retrans = tp->total_retrans;
	record->srtt_us = tp->srtt_us >> 3;
	record->rtt_min_us = tp->rtt_min.s[0].v;
	record->handshake_rtt_us = live->handshake_rtt_us;
	record->flags = live->flags | flags | socket_flags(tp, sk);
	record->interim = 0;
	record->ifindex = sk->__sk_common.skc_bound_dev_if;
	record->family = packet_family(sk);
	record->local_port = local_port(tp);
	record->peer_port = from_network16(sk->__sk_common.skc_dport);
	record->err = sk->sk_err;
	record->last_state = state;
	record->role = role_of(live, tp, state);
	record->shutdown = sk->sk_shutdown;
	record->pad = 0;
	read_local_address((__u32 *)record->local_address, sk, record->family);
	read_peer_address((__u32 *)record->peer_address, sk, record->family);
	record->mptcp_token = live->mptcp_token;
}

static __always_inline struct record *reserve(void)
{
	struct record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		__sync_fetch_and_add(&lost_ring_full, 1);
	return record;
}

/* Announces a waiting report, and its times, to the reader. */
static __always_inline bool announce(const struct record *held)
{
	struct record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return false;
	*record = *held;
	record->flags |= FLAG_ANNOUNCED;
	bpf_ringbuf_submit(record, 0);
	return true;
}

/*
 * Whether the socket's close will show what the session's end does not: its
 * process never used it, or can still read from it.
 */
static __always_inline bool should_wait(const struct sock *sk, const struct tcp_sock *tp,
					const struct live *live, __u32 flags)
{
	__u32 fin = has_received_fin(sk);

	if (!sk->sk_socket || (flags & FLAG_BACKSTOP))
		return false;
	if (live->owner.source < OWNER_FD_TABLE)
		return true;
	return !(flags & FLAG_ALL_READ) &&
	       (__u32)(tp->rcv_nxt - read_up_to(live, tp, fin)) > fin;
}

/*
 * Makes a report wait for its socket's close. False if there is no room for it,
 * or no room in the ring to announce it.
 */
static __always_inline bool hold(struct sock *sk, const struct tcp_sock *tp, struct live *live,
				 __u8 last_state, __u32 flags)
{
	__u64 cookie = cookie_of(sk);
	struct record *held;

	/* before 5.12 a socket has no cookie of its own */
	if (!cookie || bpf_map_update_elem(&waiting, &cookie, &_no_record, BPF_NOEXIST))
		return false;
	held = bpf_map_lookup_elem(&waiting, &cookie);
	if (!held)
		return false;
	fill(held, sk, tp, live, last_state, flags);
	live->waiting = true;
	if (announce(held))
		return true;
	live->waiting = false;
	return bpf_map_delete_elem(&waiting, &cookie) != 0; /* it would never be taken */
}

/* Writes the record of a session that ended, if the filters let it through. */
static __always_inline void report(struct sock *sk, struct live *live, __u8 last_state, __u32 flags)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct record *record;
	bool waits;

	if (!tp)
		return;
	finish(live);
	if (is_subflow(tp))
		note_connection(live, sk, tp);
	if (is_own(live, tp) || !wants_address(sk, tp) || !wants_size(live, sk, tp, last_state))
		return;
	if (is_all_read(sk, last_state) || (flags & FLAG_BACKSTOP))
		flags |= FLAG_ALL_READ;
	if (live->closed && tp->data_segs_in != live->data_segs_in)
		flags |= FLAG_REFUSED_DATA;
	waits = should_wait(sk, tp, live, flags);
	if (!waits && !wants_owner(&live->owner))
		return;
	if (sampling) {
		struct numbers numbers;

		read_numbers(&numbers, tp);
		if (is_sampled(sk, tp, live, &numbers, last_state, flags)) {
			flags |= FLAG_SAMPLED;
		} else if (!keep_errors || !may_have_failed(sk, tp)) {
			__sync_fetch_and_add(&sampled_out, 1);
			return;
		}
	}
	if (!is_within_cap())
		return;
	if (waits) {
		if (hold(sk, tp, live, last_state, flags) || !wants_owner(&live->owner))
			return;
	}
	record = reserve();
	if (!record)
		return;
	fill(record, sk, tp, live, last_state, flags);
	bpf_ringbuf_submit(record, 0); /* wakes the reader only when it has caught up and sleeps */
}

/*
 * The running process closes a socket, or uses it for another session: a report
 * that waited for it learns its owner, and at a close what was left unread.
 */
static __always_inline void settle(struct sock *sk, struct live *live, bool closing)
{
	__u64 cookie = cookie_of(sk);
	struct record *held = bpf_map_lookup_elem(&waiting, &cookie);
	struct record *record;
	struct tcp_sock *tp;
	bool wanted;

	if (!held)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && is_subflow(tp))
		note_connection(live, sk, tp);
	learn_last_owner(&live->owner, sk);
	wanted = wants_owner(&live->owner);
	record = wanted ? bpf_ringbuf_reserve(&ring, sizeof(*record), 0) : NULL;
	if (record)
		*record = *held;
	if (bpf_map_delete_elem(&waiting, &cookie)) { /* user space has taken it */
		if (record)
			bpf_ringbuf_discard(record, 0);
		return;
	}
	if (!record) {
		__sync_fetch_and_add(&lost_ring_full, wanted);
		return;
	}
	record->owner = live->owner;
	/* a socket that was disconnected meanwhile has forgotten what it received */
	if (closing && tp && tp->rcv_nxt == record->rcv_nxt) {
		record->copied_seq = read_up_to(live, tp, has_received_fin(sk));
		record->flags |= FLAG_ALL_READ;
	} else if (closing && tp && is_subflow(tp)) { /* MPTCP does that, and has all of it */
		__u32 fin = live->moved_unread && (record->flags & FLAG_SOCK_DONE);

		record->copied_seq = record->rcv_nxt - live->moved_unread - fin;
		record->flags |= FLAG_ALL_READ;
	}
	bpf_ringbuf_submit(record, 0);
}

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * MPTCP: a process has one socket, the connection. Its bytes travel over TCP
 * sockets that no process has, the subflows: a session each. The connection
 * shows who uses them, who ended them, and what was never read.
 */
#ifndef TCPSPAN_MPTCP_H
#define TCPSPAN_MPTCP_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "live.h"
#include "owner.h"

/* What is known of a connection. */
struct connection {
	__u64 fin_sent_ns; /* DATA_FIN */
	__u64 fin_received_ns;
	struct owner owner;
	__u32 flags;  /* FLAG_LOCAL_FIN_FIRST or FLAG_PEER_FIN_FIRST, of DATA_FINs */
	__u32 unread; /* bytes, when its process closed it */
	__u8 closed;
	__u8 pad[7];
};

#define MAX_CONNECTIONS 131072

/*
 * By the address of struct mptcp_sock, which is all that a subflow shows of it:
 * the verifier knows no pointer that leads there. The last subflow to be
 * destroyed removes it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_CONNECTIONS);
	__type(key, __u64);
	__type(value, struct connection);
} connections SEC(".maps");

static const struct connection _no_connection = {};

/* Whether the kernel was built with MPTCP. The verifier removes what is not used. */
static __always_inline bool has_mptcp(void)
{
	return field_exists(struct tcp_sock, is_mptcp);
}

static __always_inline bool is_connection(const struct sock *sk)
{
	return has_mptcp() && sk->sk_protocol == IPPROTO_MPTCP;
}

static __always_inline bool is_subflow(const struct tcp_sock *tp)
{
	return has_mptcp() && tp->is_mptcp;
}

/* The state of a connection; made if there is none yet. */
static __always_inline struct connection *connection_at(__u64 address)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &address);

	if (connection)
		return connection;
	bpf_map_update_elem(&connections, &address, &_no_connection, BPF_NOEXIST);
	return bpf_map_lookup_elem(&connections, &address);
}

/* The address of a subflow's connection; 0 if it has none. */
static __always_inline __u64 connection_of(const struct tcp_sock *tp)
{
	__u64 subflow = (__u64)tp->inet_conn.icsk_ulp_data;

	return subflow ? (__u64)READ_AT(struct mptcp_subflow_context, subflow, conn) : 0;
}

static __always_inline __u32 unread_in(__u64 queue)
{
	__u64 first = (__u64)READ_AT(struct sk_buff_head, queue, next);
	__u64 last = (__u64)READ_AT(struct sk_buff_head, queue, prev);

	if (!first || !last || first == queue) /* it ends where it begins */
		return 0;
	first += field_offset(struct sk_buff, cb);
	last += field_offset(struct sk_buff, cb);
	return READ_AT(struct mptcp_skb_cb, last, end_seq) -
	       READ_AT(struct mptcp_skb_cb, first, map_seq);
}

/* Bytes that no process has read. (FIONREAD counts a DATA_FIN behind them as one more.) */
static __always_inline __u32 unread_of(__u64 connection)
{
	__u32 unread = unread_in(connection + field_offset(struct sock, sk_receive_queue));

	if (field_exists(struct mptcp_sock, receive_queue))
		unread += unread_in(connection + field_offset(struct mptcp_sock, receive_queue));
	return unread;
}

/* Whether subflows are left in the list of a connection. */
static __always_inline bool has_subflows(__u64 connection)
{
	__u64 list = connection + field_offset(struct mptcp_sock, conn_list);

	return (__u64)READ_AT(struct list_head, list, next) != list;
}

/* The running process holds the lock of its connection, which it closes or shuts down. */
static __always_inline void note_closer(struct connection *connection, const struct sock *sk)
{
	learn_owner(&connection->owner, sk, OWNER_CLOSE);
	if (sk->sk_shutdown == SHUTDOWN_MASK) {
		connection->closed = true;
		connection->unread = unread_of((__u64)sk);
	}
}

/* Follows a connection through its states: those of TCP, with DATA_FIN for FIN. */
static __always_inline int follow_connection(struct sock *sk, int old_state, int new_state)
{
	struct connection *connection;
	__u64 address = (__u64)sk;
	bool owned = sk->sk_lock.owned;
	__u64 now = bpf_ktime_get_boot_ns();

	if (new_state == TCP_CLOSE && (old_state == TCP_LISTEN || !sk->sk_socket))
		return 0; /* its state may be gone, and is not made again */
	if (new_state == TCP_SYN_RECV || new_state == TCP_ESTABLISHED) {
		/* accepted: has no state before it is used, so that nothing stays if it never is */
		if (old_state != TCP_SYN_SENT)
			bpf_map_delete_elem(&connections, &address);
		return 0;
	}
	connection = connection_at(address);
	if (!connection)
		return 0;
	switch (new_state) {
	case TCP_SYN_SENT:
	case TCP_LISTEN:
		*connection = _no_connection;
		if (owned)
			learn_owner(&connection->owner, sk,
				    new_state == TCP_LISTEN ? OWNER_LISTEN : OWNER_CONNECT);
		return 0;
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
		if (!connection->fin_received_ns)
			connection->fin_received_ns = now;
		if (!connection->flags)
			connection->flags = FLAG_PEER_FIN_FIRST;
		return 0;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		if (!connection->fin_sent_ns)
			connection->fin_sent_ns = now;
		if (!connection->flags)
			connection->flags = new_state == TCP_LAST_ACK ? FLAG_PEER_FIN_FIRST :
									FLAG_LOCAL_FIN_FIRST;
		break;
	case TCP_CLOSE:
		if (old_state == TCP_FIN_WAIT2 && !connection->fin_received_ns)
			connection->fin_received_ns = now;
		break;
	}
	if (owned)
		note_closer(connection, sk);
	/* without a subflow, nothing would remove its state later */
	if (new_state == TCP_CLOSE && !has_subflows(address))
		bpf_map_delete_elem(&connections, &address);
	return 0;
}

/* The running process sends or receives. */
static __always_inline int learn_connection_user(struct sock *sk)
{
	struct connection *connection = connection_at((__u64)sk);

	if (connection)
		learn_owner(&connection->owner, sk, OWNER_RECV);
	return 0;
}

#define SUBFLOW_FLAGS (FLAG_MPTCP | FLAG_MPTCP_JOINED | FLAG_MPTCP_FALLBACK)

/* Whether it was a subflow when it was established, or met by a walk. */
static __always_inline bool is_known_subflow(const struct live *live)
{
	return has_mptcp() && (live->flags & SUBFLOW_FLAGS);
}

/* The flags of a record that say what kind of subflow it is. */
static __always_inline __u32 subflow_flags(const struct tcp_sock *tp)
{
	__u64 subflow = (__u64)tp->inet_conn.icsk_ulp_data;

	if (READ_BITFIELD_AT(struct mptcp_subflow_context, subflow, mp_join) ||
	    READ_BITFIELD_AT(struct mptcp_subflow_context, subflow, request_join))
		return FLAG_MPTCP | FLAG_MPTCP_JOINED;
	if (READ_BITFIELD_AT(struct mptcp_subflow_context, subflow, mp_capable))
		return FLAG_MPTCP;
	return FLAG_MPTCP_FALLBACK;
}

/*
 * Takes what the connection knows better. What its subflows brought lies in one
 * queue: what was not read of it counts at the first of them.
 */
static inline __noinline void note_connection(struct live *live, const struct sock *sk,
					      const struct tcp_sock *tp)
{
	struct connection *connection;
	__u64 address = connection_of(tp);
	__u32 flags, token;

	if (!address)
		return;
	flags = subflow_flags(tp);
	live->flags &= ~SUBFLOW_FLAGS;
	live->flags |= flags;
	token = READ_AT(struct mptcp_sock, address, token);
	if (token)
		live->mptcp_token = token;
	connection = bpf_map_lookup_elem(&connections, &address);
	if (connection && connection->owner.source > live->owner.source)
		live->owner = connection->owner;
	if (connection && connection->flags && (flags & FLAG_MPTCP)) {
		live->flags &= ~(FLAG_LOCAL_FIN_FIRST | FLAG_PEER_FIN_FIRST);
		live->flags |= connection->flags;
		if (connection->fin_sent_ns)
			live->fin_sent_ns = connection->fin_sent_ns;
		if (connection->fin_received_ns)
			live->fin_received_ns = connection->fin_received_ns;
	}
	if ((__u64)READ_AT(struct mptcp_sock, address, first) != (__u64)sk)
		return;
	live->moved_unread = connection && connection->closed ? connection->unread :
								unread_of(address);
}

static __always_inline void note_subflow(struct live *live, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (tp && is_subflow(tp))
		note_connection(live, sk, tp);
}

/*
 * A subflow is destroyed: forgets its connection if no process has that, and no
 * other subflow is left in its list.
 */
static __always_inline void forget_subflow(struct sock *sk)
{
	struct tcp_sock *tp = has_mptcp() ? bpf_skc_to_tcp_sock(sk) : NULL;
	__u64 address, list, own, next;

	if (!tp || !is_subflow(tp))
		return;
	address = connection_of(tp);
	list = address + field_offset(struct mptcp_sock, conn_list);
	own = (__u64)tp->inet_conn.icsk_ulp_data + field_offset(struct mptcp_subflow_context, node);
	if (!address || READ_AT(struct sock, address, sk_socket))
		return;
	next = (__u64)READ_AT(struct list_head, list, next);
	if (next == own)
		next = (__u64)READ_AT(struct list_head, own, next);
	if (next == list)
		bpf_map_delete_elem(&connections, &address);
}

#endif

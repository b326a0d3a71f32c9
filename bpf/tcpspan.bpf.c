// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Follows each TCP socket through its states and writes one record into the
 * ring when a session or an attempt ends. It reads what is gone afterwards;
 * values derived from it (payload, reasons) are left to user space.
 */
#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"
#include "live.h"
#include "numbers.h"
#include "owner.h"
#include "listener.h"
#include "own.h"
#include "mptcp.h"
#include "sampling.h"
#include "sockmap.h"
#include "report.h"
#include "walks.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Keep the generated definitions in BTF: nothing else refers to them by type. */
struct record *_keep_record __attribute__((unused));
enum record_flags _keep_flags __attribute__((unused));
enum owner_source _keep_source __attribute__((unused));
enum role _keep_role __attribute__((unused));
enum network_list _keep_list __attribute__((unused));
enum state_version _keep_state_version __attribute__((unused));

/* Whether a program of another generation is active, one before or after this one. */
static __always_inline bool stands_by(void)
{
	return generation != active_generation;
}

/*
 * Finds out whether both ends of a session are on this host, whatever their
 * addresses and network namespaces: the active end is established before it sends
 * the packet that establishes the passive one. An active end that the filters
 * leave out does not count, since nobody reports it.
 */
static __always_inline void join(struct live *live, const struct sock *sk,
				 const struct tcp_sock *tp)
{
	struct numbers numbers;
	__u32 local, peer;
	__u64 *place;

	read_numbers(&numbers, tp);
	local = local_initial(&numbers, live->role);
	peer = peer_initial(&numbers);
	place = &joining[(local ^ peer) % MAX_JOINING];
	if (live->role == ROLE_PASSIVE && *place == ((__u64)peer << 32 | local))
		live->flags |= FLAG_CLIENT_HERE;
	if (live->role == ROLE_ACTIVE && wants_address(sk, tp) && wants_owner(&live->owner))
		*place = (__u64)local << 32 | peer;
}

static __always_inline void establish(struct live *live, const struct sock *sk,
				      const struct tcp_sock *tp)
{
	__u32 rtt;

	if (!tp)
		return;
	note_own_session(live, sk, tp);
	join(live, sk, tp);
	if (READ_BITFIELD(tp, repair))
		live->flags |= FLAG_RESTORED;
	if (is_subflow(tp)) /* one that is never accepted does not show it at its end */
		note_connection(live, sk, tp);
	/* without its SYN_RECV nobody knows whether its listener deferred it */
	if (live->role != ROLE_PASSIVE || !(live->flags & FLAG_START_OBSERVED))
		return;
	/* data in the SYN, by TCP Fast Open: made at once, and established by the first answer */
	if (tp->bytes_received)
		live->flags &= ~FLAG_DEFERRED;
	/* Without a sample of its own (SYN cookies, a SYN-ACK sent again) the kernel
	 * takes the peer's timestamps, which count whole milliseconds. */
	rtt = tp->srtt_us >> 3;
	if (rtt % 1000 || live->flags & FLAG_DEFERRED)
		live->handshake_rtt_us = rtt;
}

/*
 * Whether the kernel waited for data before it made a listener's child: then it has
 * no sample of a round trip. The child's own copy of the queue is cleared, since some
 * version of Linux before SYN_RECV.
 */
static __always_inline bool is_deferred(const struct live *live)
{
	__u8 defer = 0;

	if (live->role == ROLE_LISTENER) /* the listener's value, just copied */
		bpf_probe_read_kernel(&defer, sizeof(defer),
				      (void *)live->listener +
					      field_offset(struct inet_connection_sock,
							   icsk_accept_queue.rskq_defer_accept));
	return defer;
}

/*
 * A listener's child whose creation failed was never a session. A child of TCP
 * Fast Open can be used before its handshake is over.
 */
static __always_inline bool is_failed_child(const struct sock *sk, const struct live *live,
					    __u8 state)
{
	return state == TCP_SYN_RECV && is_unaccepted(sk, live);
}

/* Data that comes after both directions are shut down is refused with a reset. */
static __always_inline void note_close(struct live *live, const struct sock *sk,
				       const struct tcp_sock *tp)
{
	if (!tp || sk->sk_shutdown != SHUTDOWN_MASK)
		return;
	live->closed = true;
	live->data_segs_in = tp->data_segs_in;
}

/*
 * Whether a state starts another session on the socket. Uses no comparisons: the
 * compiler makes an unsigned one of them, and signed ones of the switch on the
 * same state; verifiers of 6.17 and 6.18 then find an impossible path, and warn.
 */
static __always_inline bool begins_anew(int state)
{
	const __u32 states = 1 << TCP_SYN_SENT | 1 << TCP_SYN_RECV | 1 << TCP_LISTEN;

	return 1 << (state & 31) & states;
}

SEC("tp_btf/inet_sock_set_state")
int set_state(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	int old_state = args[1];
	int new_state = args[2];
	struct live *live;
	bool owned;

	if (stands_by())
		return 0;
	if (!is_tcp(sk))
		return is_connection(sk) ? follow_connection(sk, old_state, new_state) : 0;
	if (new_state == TCP_CLOSE && (old_state == TCP_LISTEN || old_state == TCP_CLOSE)) {
		if (old_state == TCP_LISTEN)
			note_closing_listener(sk);
		return 0;
	}
	if (new_state == TCP_FIN_WAIT2) /* FIN_WAIT1 and an acknowledgement: the counters show it */
		return 0;

	live = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!live) {
		__sync_fetch_and_add(&lost_storage_failed, new_state == TCP_CLOSE);
		return 0;
	}
	if (!begins_anew(new_state)) {
		adopt(live);
		note_sockmap(live, sk);
	}
	owned = sk->sk_lock.owned;
	live->last_state = new_state;
	/* the event of the peer's FIN may have been missed */
	if (old_state == TCP_CLOSE_WAIT && !(live->flags & FLAG_LOCAL_FIN_FIRST))
		live->flags |= FLAG_PEER_FIN_FIRST;

	switch (new_state) {
	case TCP_SYN_SENT:
		if (live->waiting)
			settle(sk, live, false);
		begin(live, ROLE_ACTIVE, FLAG_START_OBSERVED);
		forget_owner(&live->owner);
		if (owned)
			learn_owner(&live->owner, sk, OWNER_CONNECT);
		note_opener(live);
		break;
	case TCP_LISTEN:
		if (live->waiting)
			settle(sk, live, false);
		begin(live, ROLE_LISTENER, 0);
		note_new_listener(live, sk);
		forget_owner(&live->owner);
		if (owned)
			learn_owner(&live->owner, sk, OWNER_LISTEN);
		note_opener(live);
		break;
	case TCP_SYN_RECV:
		/* from SYN_SENT it is a simultaneous open: the role stays */
		if (old_state != TCP_SYN_SENT)
			begin(live, ROLE_PASSIVE,
			      FLAG_START_OBSERVED | (is_deferred(live) ? FLAG_DEFERRED : 0));
		break;
	case TCP_ESTABLISHED:
		live->established_ns = bpf_ktime_get_boot_ns();
		establish(live, sk, bpf_skc_to_tcp_sock(sk));
		break;
	case TCP_FIN_WAIT1:
		note_close(live, sk, bpf_skc_to_tcp_sock(sk));
		/* fallthrough */
	case TCP_LAST_ACK:
		/* close() after shutdown() sets the state once more: tcp_close_state() */
		if (old_state != new_state)
			live->fin_sent_ns = bpf_ktime_get_boot_ns();
		if (!(live->flags & FLAG_PEER_FIN_FIRST))
			live->flags |= FLAG_LOCAL_FIN_FIRST;
		if (owned)
			learn_owner(&live->owner, sk, OWNER_CLOSE);
		if (is_known_subflow(live)) /* it may live longer than its connection */
			note_subflow(live, sk);
		break;
	case TCP_CLOSE_WAIT:
		live->flags |= FLAG_PEER_FIN_FIRST;
		/* fallthrough */
	case TCP_CLOSING:
		if (old_state != new_state)
			live->fin_received_ns = bpf_ktime_get_boot_ns();
		break;
	case TCP_CLOSE:
		if (live->reported)
			break;
		if (is_failed_child(sk, live, old_state)) {
			finish(live);
			break;
		}
		if (live->role == ROLE_UNKNOWN && !report_existing)
			break;
		learn_closing_listener(live, sk);
		learn_last_owner(&live->owner, sk);
		report(sk, live, old_state, 0);
		break;
	}
	return 0;
}

/* Reports a session whose CLOSE was not seen. */
static __always_inline void report_missed(struct sock *sk, struct live *live)
{
	if (live->role == ROLE_LISTENER)
		forget_closing_listener();
	if (live->role == ROLE_LISTENER || !is_tcp(sk))
		return;
	if (live->role == ROLE_UNKNOWN && !report_existing)
		return;
	if (is_failed_child(sk, live, live->last_state))
		finish(live);
	else
		report(sk, live, live->last_state, FLAG_BACKSTOP);
}

/*
 * If a softirq interrupts a program, the kernel skips the inner run on that
 * CPU. This hook has a guard of its own, and comes after every CLOSE: it
 * reports what the run at CLOSE did not.
 */
SEC("tp_btf/tcp_destroy_sock")
int destroy_sock(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (!live || stands_by())
		return 0;
	if (live->waiting)
		settle(sk, live, true);
	if (!live->reported)
		report_missed(sk, live);
	if (is_known_subflow(live) || live->role == ROLE_LISTENER || live->role == ROLE_UNKNOWN)
		forget_subflow(sk);
	return 0;
}

/*
 * The process that receives is the one that accepted, even if another one
 * listened. A socket from before the start has no state yet.
 */
static __always_inline int learn_user(struct sock *sk)
{
	/* a session that was over before the start can still be read from, but is not reported */
	bool create = report_existing && sk->__sk_common.skc_state != TCP_CLOSE;
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL,
					       create ? BPF_SK_STORAGE_GET_F_CREATE : 0);

	if (!live)
		return 0;
	adopt(live);
	note_sockmap(live, sk);
	learn_owner(&live->owner, sk, OWNER_RECV);
	if (live->waiting) {
		__u64 cookie = cookie_of(sk);
		struct record *held = bpf_map_lookup_elem(&waiting, &cookie);

		/* user space may take it at any moment, and another report get its memory */
		if (held && held->cookie == cookie)
			learn_owner(&held->owner, sk, OWNER_RECV);
	}
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int receive(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];

	return sk->sk_lock.owned && !stands_by() ? learn_user(sk) : 0;
}

/* Process context, but the lock is not held here. Linux 6.3+. */
SEC("tp_btf/sock_send_length")
int send(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	int ret = args[1];

	if (ret <= 0 || stands_by())
		return 0;
	if (is_tcp(sk))
		return learn_user(sk);
	return is_connection(sk) ? learn_connection_user(sk) : 0;
}

/*
 * The same for receives. Those over TCP are seen above, in all versions of Linux, but
 * for what a sockmap brought.
 */
SEC("tp_btf/sock_recv_length")
int receive_mptcp(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	int ret = args[1];

	if (ret <= 0 || stands_by())
		return 0;
	if (is_connection(sk))
		return learn_connection_user(sk);
	return sk->sk_user_data && is_tcp(sk) ? learn_user(sk) : 0;
}

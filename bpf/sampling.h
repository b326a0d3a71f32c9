/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which sessions are kept, by their trace ids, so that both ends and all hosts keep the
 * same sessions. The ids are those of src/ids/ids.ts; established and joinable mean the
 * same as in src/session/session.ts. test/kernel/sampling_test.ts compares them.
 */
#ifndef TCPSPAN_SAMPLING_H
#define TCPSPAN_SAMPLING_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "settings.h"
#include "live.h"
#include "numbers.h"

static __always_inline __u64 rotate(__u64 word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static __always_inline void sip_round(__u64 *v)
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/*
 * The last 8 of the 16 bytes of SipHash-2-4 (Aumasson and Bernstein, 2012). The
 * last of 2 or 3 blocks has the length in its highest byte.
 */
static __always_inline __u64 sip_hash(__u64 first, __u64 second, __u64 third, __u32 blocks)
{
	__u64 v[4] = {
		trace_key[0] ^ 0x736f6d6570736575ULL,
		trace_key[1] ^ 0x646f72616e646f6dULL ^ 0xee,
		trace_key[0] ^ 0x6c7967656e657261ULL,
		trace_key[1] ^ 0x7465646279746573ULL,
	};

	for (__u64 i = 0; i < 3; i++) {
		__u64 block = i == 0 ? first : i == 1 ? second : third;

		if (i >= blocks)
			break;
		v[3] ^= block;
		sip_round(v);
		sip_round(v);
		v[0] ^= block;
	}
	v[2] ^= 0xee;
	for (__u64 i = 0; i < 4; i++)
		sip_round(v);
	v[1] ^= 0xdd;
	for (__u64 i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Session.established */
static __always_inline bool is_established(const struct live *live, const struct numbers *numbers,
					   __u8 state, __u32 flags)
{
	if (live->established_ns)
		return true;
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return (flags & FLAG_BACKSTOP) &&
		       (numbers->bytes_acked || numbers->bytes_received);
	return state && state <= TCP_NEW_SYN_RECV;
}

/* Session.joinable, of an established session: its initial sequence numbers are known for sure. */
static __always_inline bool is_joinable(const struct live *live, const struct tcp_sock *tp,
					__u8 role)
{
	return (role == ROLE_ACTIVE || role == ROLE_PASSIVE) && !(live->flags & FLAG_RESTORED) &&
	       !READ_BITFIELD(tp, repair);
}

/*
 * W3C Trace Context level 2: the last 56 bits of the trace id, which are random.
 * The id's bytes are the hash's, and as a number they are in network order.
 */
static __always_inline __u64 randomness(struct sock *sk, const struct tcp_sock *tp,
					const struct live *live, const struct numbers *numbers,
					__u8 state, __u32 flags)
{
	bool established = is_established(live, numbers, state, flags);
	__u8 role = role_of(live, tp, state);
	__u64 high;

	if (established && is_joinable(live, tp, role)) {
		__u32 local = local_initial(numbers, role);
		__u32 peer = peer_initial(numbers);
		__u64 least = local < peer ? local : peer;
		__u64 most = local < peer ? peer : local;

		high = sip_hash(least | most << 32, 8ULL << 56, 0, 2);
	} else {
		__u64 own = established ? 0 : numbers->snd_una;
		__u64 cookie = cookie_of(sk);
		__u64 start = start_of(live, bpf_ktime_get_boot_ns());

		high = sip_hash(own | cookie << 32, cookie >> 32 | start << 32,
				start >> 32 | 20ULL << 56, 3);
	}
	return from_network64(high) & ((1ULL << 56) - 1);
}

static __always_inline bool is_sampled(struct sock *sk, const struct tcp_sock *tp,
				       const struct live *live, const struct numbers *numbers,
				       __u8 state, __u32 flags)
{
	return randomness(sk, tp, live, numbers, state, flags) >= sampling_threshold;
}

/*
 * Whether src/session/ending.ts may find a failure: it does in almost all that
 * this lets through, and never in the rest.
 */
static __always_inline bool may_have_failed(const struct sock *sk, const struct tcp_sock *tp)
{
	int err = sk->sk_err;

	if (err)
		return err != ECONNABORTED;
	/* no local port was free */
	return !tp->inet_conn.icsk_inet.inet_sport && !(sk->sk_shutdown & SEND_SHUTDOWN);
}

/*
 * Counts what is about to be written against the cap. Linux 5.11 has no atomics that return
 * a value: CPUs that do this at the same time may write a few more.
 */
static __always_inline bool is_within_cap(void)
{
	__u64 now;

	if (!most_per_second)
		return true;
	now = bpf_ktime_get_boot_ns();
	if ((__s64)(now - second_began) >= 1000000000LL) {
		second_began = now;
		in_second = 0;
	}
	if (in_second >= most_per_second) {
		__sync_fetch_and_add(&over_cap, 1);
		return false;
	}
	__sync_fetch_and_add(&in_second, 1);
	return true;
}

#endif

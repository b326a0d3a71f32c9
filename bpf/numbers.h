/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Initial sequence numbers: they identify a session, at both of its ends. */
#ifndef TCPSPAN_NUMBERS_H
#define TCPSPAN_NUMBERS_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"

/* What initial sequence numbers are computed from, all read at one moment. */
struct numbers {
	__u64 bytes_acked;
	__u64 bytes_received;
	__u32 snd_una;
	__u32 rcv_nxt;
};

static __always_inline void read_numbers(struct numbers *numbers, const struct tcp_sock *tp)
{
	numbers->bytes_acked = tp->bytes_acked;
	numbers->bytes_received = tp->bytes_received;
	numbers->snd_una = tp->snd_una;
	numbers->rcv_nxt = tp->rcv_nxt;
}

static __always_inline bool are_equal(const struct numbers *a, const struct numbers *b)
{
	return a->snd_una == b->snd_una && a->rcv_nxt == b->rcv_nxt &&
	       a->bytes_acked == b->bytes_acked && a->bytes_received == b->bytes_received;
}

/* This end's, of an established session. bytes_acked counts an active end's SYN. */
static __always_inline __u32 local_initial(const struct numbers *numbers, __u8 role)
{
	return numbers->snd_una - (__u32)numbers->bytes_acked - (role == ROLE_PASSIVE);
}

static __always_inline __u32 peer_initial(const struct numbers *numbers)
{
	return numbers->rcv_nxt - (__u32)numbers->bytes_received - 1;
}

#endif

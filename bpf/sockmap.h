/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Sockets in a sockmap or sockhash: its programs may hand what a process sends to
 * another socket's process, and TCP counts nothing of it.
 */
#ifndef TCPSPAN_SOCKMAP_H
#define TCPSPAN_SOCKMAP_H

#include "kernel.h"
#include "helpers.h"
#include "record.h"
#include "live.h"

#define SK_USER_DATA_FLAGS 7ULL /* include/net/sock.h: up to three bits */

/*
 * Such a socket has a struct sk_psock as its user data, and only until its process
 * closes it: sock_map_close(). Others have other user data, which a bit tells apart
 * in newer kernels alone: so this looks for the pointer back to the socket. (Kernel
 * connection multiplexing has one too, and is taken for a sockmap.)
 */
static __always_inline bool is_in_sockmap(const struct sock *sk)
{
	__u64 data = (__u64)sk->sk_user_data & ~SK_USER_DATA_FLAGS;

	return data && field_exists(struct sk_psock, sk) &&
	       READ_AT(struct sk_psock, data, sk) == sk;
}

static __always_inline void note_sockmap(struct live *live, const struct sock *sk)
{
	if (is_in_sockmap(sk))
		live->flags |= FLAG_SOCKMAP;
}

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The record of a session that ended, or is still open: the one definition of
 * its layout. src/session/record_layout.ts is generated from it, through the object's BTF.
 *
 * Multi-byte fields are in the host's byte order, addresses in network order.
 * Times are CLOCK_BOOTTIME in nanoseconds; 0 is "never seen".
 */
#ifndef TCPSPAN_RECORD_H
#define TCPSPAN_RECORD_H

#include "kernel.h"

#define COMM_LEN 16 /* TASK_COMM_LEN */
#define EXE_LEN 64

enum role {
	ROLE_UNKNOWN = 0,
	ROLE_ACTIVE = 1,   /* opened with connect() */
	ROLE_PASSIVE = 2,  /* accepted by a listener */
	ROLE_LISTENER = 3, /* not a session; never in a record */
};

/* How the owner was learnt, in rising order of trust. */
enum owner_source {
	OWNER_UNKNOWN = 0,
	OWNER_LISTEN = 1,   /* inherited from the listener */
	OWNER_FD_TABLE = 2, /* had a descriptor of it when the tracer started */
	OWNER_CLOSE = 3,    /* closed or shut down the socket */
	OWNER_RECV = 4,     /* received from it, or sent to it */
	OWNER_CONNECT = 5,  /* called connect() */
};

enum record_flags {
	FLAG_SOCK_DONE = 1 << 0,      /* the peer's FIN was received in order */
	FLAG_LINGER_ZERO = 1 << 1,    /* SO_LINGER with a time of 0 */
	FLAG_OWNED = 1 << 2,          /* sk_lock.owned at the end */
	FLAG_REPAIR = 1 << 3,         /* TCP_REPAIR at the end */
	FLAG_START_OBSERVED = 1 << 4, /* its first state change was seen */
	FLAG_BACKSTOP = 1 << 5,       /* reported at tcp_destroy_sock, CLOSE was missed */
	FLAG_LOCAL_FIN_FIRST = 1 << 6,
	FLAG_PEER_FIN_FIRST = 1 << 7,
	FLAG_RESTORED = 1 << 8,       /* established by TCP_REPAIR, without a handshake */
	FLAG_ALL_READ = 1 << 9,       /* no process will read from it any more */
	FLAG_ANNOUNCED = 1 << 10,     /* only announces a record: it follows at the socket's close */
	FLAG_REFUSED_DATA = 1 << 11,  /* data came after its process had closed it, or came again */
	FLAG_SAMPLED = 1 << 12,       /* its trace id is among those that sampling keeps */
	FLAG_DEFERRED = 1 << 13,      /* TCP_DEFER_ACCEPT: accepted when its first data came */
	FLAG_SOCKMAP = 1 << 14,       /* was in a sockmap: bytes may have passed TCP by */
	FLAG_CLIENT_HERE = 1 << 15,   /* passive end: the active one is on this host too */
	FLAG_MPTCP = 1 << 16,         /* a subflow of an MPTCP connection */
	FLAG_MPTCP_JOINED = 1 << 17,  /* not the connection's first */
	FLAG_MPTCP_FALLBACK = 1 << 18, /* plain TCP, though its process asked for MPTCP */
};

/* The process that holds the socket. */
struct owner {
	__u64 process_start_ns; /* task_struct.start_boottime of the group leader */
	__u64 cgroup_id;        /* cgroup v2 */
	__u32 pid;              /* tgid in the tracer's pid namespace; 0: not visible there */
	__u32 uid;
	char comm[COMM_LEN];    /* of the thread that acted, for io_uring of the first one */
	char exe[EXE_LEN];      /* base name of the executable, cut to fit */
	__u8 source;            /* enum owner_source */
	__u8 excluded;          /* its executable or cgroup is, by the filters when it was learnt */
	__u8 pad[2];
	__u32 exec_id;          /* task_struct.self_exec_id: another one with each execve() */
};

struct record {
	__s64 wall_offset_ns;     /* CLOCK_REALTIME - CLOCK_BOOTTIME at the end; the program
				   * writes CLOCK_TAI - CLOCK_BOOTTIME, or 0 before Linux 6.1,
				   * and user space replaces it */
	__u64 start_ns;           /* SYN_SENT, or SYN_RECV of an accepted socket */
	__u64 established_ns;
	__u64 fin_sent_ns;
	__u64 fin_received_ns;
	__u64 end_ns;             /* CLOSE; of a session still open: when this was written */
	__u64 cookie;             /* 0 if the kernel never made one (before 5.12) */
	__u64 bytes_acked;        /* tcp_sock.bytes_acked: counts SYN and FIN */
	__u64 bytes_received;     /* tcp_sock.bytes_received: counts FIN */
	struct owner owner;
	__u32 netns;              /* inode of the network namespace */
	__u32 snd_una;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 data_segs_in;
	__u32 data_segs_out;
	__u32 total_retrans;
	__u32 srtt_us;            /* microseconds */
	__u32 rtt_min_us;         /* microseconds; ~0: no sample */
	__u32 handshake_rtt_us;   /* passive end: from the SYN-ACK to its answer; 0: no sample */
	__u32 flags;              /* enum record_flags */
	__u32 interim;            /* 0: it ended; else which report of it this is: 1 for the first */
	__u32 ifindex;            /* interface it is bound to: the zone of link-local addresses */
	__u16 family;             /* AF_INET or AF_INET6, of the packets */
	__u16 local_port;
	__u16 peer_port;
	__u16 err;                /* sk_err: an errno */
	__u8 last_state;          /* state before CLOSE, or now: TCP_ESTABLISHED = 1 … */
	__u8 role;                /* enum role */
	__u8 shutdown;            /* sk_shutdown: 1 RCV, 2 SEND */
	__u8 pad;
	__u8 local_address[16];   /* IPv4: the first 4 bytes */
	__u8 peer_address[16];
	__u32 mptcp_token;        /* of this end's MPTCP connection; 0: none */
};

#endif

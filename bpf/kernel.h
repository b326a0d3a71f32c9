/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The kernel's types, cut down to the fields in use. libbpf moves each access
 * to where the running kernel has the field (CO-RE), so names and types matter
 * here, order and offsets do not.
 */
#ifndef TCPSPAN_KERNEL_H
#define TCPSPAN_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_CLONE = 1U << 9,
	BPF_SK_STORAGE_GET_F_CREATE = 1U << 0,
};

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define ECONNABORTED 103
#define SEND_SHUTDOWN 2        /* include/net/sock.h */
#define SHUTDOWN_MASK 3        /* both directions */
#define PF_IO_WORKER 0x00000010 /* include/linux/sched.h */
#define PF_KTHREAD 0x00200000
#define MAX_PID_NS_LEVEL 32    /* include/linux/pid_namespace.h */
#define MAX_CGROUP_DEPTH 32    /* searched at most; kernels allow more */
#define PROC_PID_INIT_INO 0xEFFFFFFCU /* include/linux/proc_ns.h */

enum sock_flags { /* include/net/sock.h */
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_URGINLINE,
	SOCK_KEEPOPEN,
	SOCK_LINGER,
};

#define __core __attribute__((preserve_access_index))

struct ns_common {
	unsigned int inum;
} __core;

struct net {
	struct ns_common ns;
} __core;

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
} __core;

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	union {
		struct {
			__be32 skc_daddr;
			__be32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			__be16 skc_dport;
			__u16 skc_num;
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
} __core;

typedef struct {
	int owned;
} __core socket_lock_t;

struct socket;

struct sk_buff {
	char cb[48];
} __core;

struct sk_buff_head {
	struct sk_buff *next;
	struct sk_buff *prev;
} __core;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct sk_buff_head sk_receive_queue;
	struct socket *sk_socket; /* NULL until accepted, and after close */
	void *sk_user_data;
	unsigned long sk_lingertime;
	int sk_err;
	__u16 sk_protocol;
	__u8 sk_shutdown;
} __core;

struct socket {
	struct sock *sk;
} __core;

/* include/linux/skmsg.h; without CONFIG_NET_SOCK_MSG there is none */
struct sk_psock {
	struct sock *sk;
} __core;

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
} __core;

struct request_sock_queue {
	void *rskq_accept_head; /* of what nobody accepted */
	__u8 rskq_defer_accept; /* TCP_DEFER_ACCEPT, as a number of SYN-ACKs */
} __core;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct request_sock_queue icsk_accept_queue;
	void *icsk_ulp_data;
} __core;

struct minmax_sample {
	__u32 t;
	__u32 v;
} __core;

struct minmax {
	struct minmax_sample s[3];
} __core;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_received;
	__u64 bytes_acked;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u32 data_segs_in;
	__u32 data_segs_out;
	__u32 total_retrans;
	struct minmax rtt_min;
	__u8 repair : 1;
	bool is_mptcp; /* without CONFIG_MPTCP there is none */
} __core;

/* net/mptcp/protocol.h */
struct list_head {
	struct list_head *next;
} __core;

struct mptcp_sock {
	struct inet_connection_sock sk;
	struct list_head conn_list;
	__u32 token;
	struct sock *first;
	struct sk_buff_head receive_queue; /* up to Linux 6.14 */
} __core;

struct mptcp_subflow_context { /* icsk_ulp_data of a subflow */
	struct list_head node;
	struct sock *conn; /* the mptcp_sock */
	__u32 request_join : 1;
	__u32 mp_capable : 1;
	__u32 mp_join : 1;
} __core;

struct mptcp_skb_cb {
	__u64 map_seq; /* of the first byte that was not read */
	__u64 end_seq;
} __core;

struct qstr {
	const unsigned char *name;
} __core;

struct dentry {
	struct qstr d_name;
} __core;

struct path {
	struct dentry *dentry;
} __core;

struct file {
	struct path f_path;
} __core;

struct mm_struct {
	struct file *exe_file;
} __core;

struct pid_namespace {
	struct ns_common ns;
} __core;

struct upid {
	int nr;
	struct pid_namespace *ns;
} __core;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} __core;

enum pid_type { /* include/linux/pid_types.h */
	PIDTYPE_PID,
	PIDTYPE_TGID,
};

struct signal_struct {
	struct pid *pids[4];
} __core;

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
} __core;

struct kernfs_node {
	__u64 id;
} __core;

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
} __core;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
} __core;

struct css_set {
	struct cgroup *dfl_cgrp;
} __core;

struct task_struct {
	unsigned int flags;
	int tgid;
	__u64 start_boottime;
	__u64 self_exec_id;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct mm_struct *mm;
	const struct cred *cred;
	struct css_set *cgroups;
	char comm[16];
} __core;

/* What the kernel passes to iterators: kernel/bpf/task_iter.c,
 * net/ipv4/tcp_ipv4.c. Each member has 8 bytes on every architecture. */
#define __iterator_pointer(type, name) \
	union {                        \
		type *name;            \
		__u64 : 64;            \
	} __attribute__((aligned(8)))

struct seq_file;

struct bpf_iter_meta {
	__iterator_pointer(struct seq_file, seq);
} __core;

struct bpf_iter__task_file {
	__iterator_pointer(struct bpf_iter_meta, meta);
	__iterator_pointer(struct task_struct, task);
	__u32 fd;
	__iterator_pointer(struct file, file);
} __core;

struct bpf_iter__tcp {
	__iterator_pointer(struct bpf_iter_meta, meta);
	__iterator_pointer(struct sock_common, sk_common);
} __core;

#endif

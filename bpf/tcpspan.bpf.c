// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Follows each TCP socket through its states and writes one record into the
 * ring when a session or an attempt ends. Derived values (payload, roles,
 * reasons) are left to user space; what is read here is gone afterwards.
 */
#include "kernel.h"
#include "helpers.h"
#include "record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern int LINUX_KERNEL_VERSION __kconfig; /* filled in by libbpf */

/* Filters and facts, set before load: the verifier removes what is unset. */
#define MAX_PIDS 64
const volatile __u32 filter_pid_count = 0;
const volatile __u32 filter_pids[MAX_PIDS] = {};
const volatile bool filter_local_ports = false;
const volatile bool filter_peer_ports = false;
const volatile __u8 local_ports[65536 / 8] = {};
const volatile __u8 peer_ports[65536 / 8] = {};
const volatile __u16 filter_family = 0;   /* AF_INET or AF_INET6 alone; 0: both */
const volatile bool report_existing = true; /* sessions open before the start */
const volatile __u32 own_pid = 0;         /* the tracer, in its own pid namespace */
const volatile __u32 pid_namespace = 0;   /* inode of the tracer's pid namespace */
const volatile __u64 tracer_start_ns = 0; /* CLOCK_BOOTTIME */

/* Read by user space through the mapping of .bss. */
__u64 lost_ring_full = 0;
__u64 lost_storage_failed = 0;

/* What is known of a socket while it lives. Kept small: a clone that fails
 * makes the kernel drop the connection. */
struct live {
	__u64 start_ns;
	__u64 established_ns;
	__u64 fin_sent_ns;
	__u64 fin_received_ns;
	struct owner owner;
	__u32 handshake_rtt_us;
	__u32 flags;     /* enum record_flags, those known before the end */
	__u8 role;
	__u8 last_state; /* the state entered last, for the backstop */
	bool reported;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct live);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* bytes; set before load */
} ring SEC(".maps");

/* Keep the generated definitions in BTF: nothing else refers to them by type. */
struct record *_keep_record __attribute__((unused));
enum record_flags _keep_flags __attribute__((unused));
enum owner_source _keep_source __attribute__((unused));
enum role _keep_role __attribute__((unused));

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return sk->sk_protocol == IPPROTO_TCP && (family == AF_INET || family == AF_INET6);
}

/*
 * The process id in the tracer's pid namespace, 0 for a process outside of it.
 * (bpf_get_ns_current_pid_tgid fails for processes in child namespaces.)
 */
static __always_inline __u32 visible_pid(struct task_struct *task)
{
	struct pid *pid = task->signal->pids[PIDTYPE_TGID];
	__u64 first = (__u64)pid + field_offset(struct pid, numbers);
	__u32 level = pid->level;

	for (__u32 i = 0; i < MAX_PID_NS_LEVEL; i++) {
		struct pid_namespace *ns = NULL;
		__u32 inode = 0, nr = 0;
		void *number = (void *)(first + i * type_size(struct upid));

		if (i > level)
			break;
		bpf_probe_read_kernel(&ns, sizeof(ns), number + field_offset(struct upid, ns));
		bpf_probe_read_kernel(&inode, sizeof(inode),
				      (void *)ns + field_offset(struct pid_namespace, ns.inum));
		if (inode == pid_namespace) {
			bpf_probe_read_kernel(&nr, sizeof(nr),
					      number + field_offset(struct upid, nr));
			return nr;
		}
	}
	return 0;
}

/*
 * Takes the running process as the owner. True only where it holds the
 * socket's lock, which `ss -K`, kernel threads and the tracer do as well
 * without owning the socket.
 */
static __always_inline void learn_owner(struct live *live, struct sock *sk, __u8 source)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 start = task->group_leader->start_boottime;
	struct mm_struct *mm;
	bool same;
	__u32 pid;

	if (task->flags & PF_KTHREAD)
		return;
	if (sk->sk_err == ECONNABORTED)
		return;
	pid = visible_pid(task);
	if (pid == own_pid && source != OWNER_CONNECT && source != OWNER_LISTEN)
		return;

	same = live->owner.pid == pid && live->owner.process_start_ns == start;
	live->owner.pid = pid;
	live->owner.uid = (__u32)bpf_get_current_uid_gid();
	live->owner.source = source;
	live->owner.process_start_ns = start;
	live->owner.cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(live->owner.comm, sizeof(live->owner.comm));

	mm = task->mm; /* NULL in an exiting process, which keeps the name it had */
	if (mm) {
		const unsigned char *name = mm->exe_file->f_path.dentry->d_name.name;

		bpf_probe_read_kernel_str(live->owner.exe, sizeof(live->owner.exe), name);
	} else if (!same) {
		live->owner.exe[0] = 0;
	}
}

static __always_inline bool wants_port(const volatile __u8 *ports, __u16 port)
{
	return ports[port >> 3] & (1 << (port & 7));
}

static __always_inline bool wants_pid(__u32 pid)
{
	for (__u32 i = 0; i < MAX_PIDS; i++) {
		if (i >= filter_pid_count)
			break;
		if (filter_pids[i] == pid)
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

static __always_inline void read_addresses(struct record *record, const struct sock *sk)
{
	__u32 *local = (__u32 *)record->local_address;
	__u32 *peer = (__u32 *)record->peer_address;

	if (sk->__sk_common.skc_family == AF_INET) {
		local[0] = sk->__sk_common.skc_rcv_saddr;
		peer[0] = sk->__sk_common.skc_daddr;
	} else if (record->family == AF_INET) {
		local[0] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[3];
		peer[0] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3];
	} else {
		for (int i = 0; i < 4; i++) {
			local[i] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i];
			peer[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
		}
		return;
	}
	for (int i = 1; i < 4; i++)
		local[i] = peer[i] = 0;
}

static __always_inline __u32 end_flags(const struct tcp_sock *tp, const struct sock *sk)
{
	unsigned long sock_flags = sk->__sk_common.skc_flags;
	__u32 flags = 0;

	if (sock_flags & (1UL << SOCK_DONE))
		flags |= FLAG_SOCK_DONE;
	if ((sock_flags & (1UL << SOCK_LINGER)) && sk->sk_lingertime == 0)
		flags |= FLAG_LINGER_ZERO;
	if (sk->sk_lock.owned)
		flags |= FLAG_OWNED;
	if (READ_BITFIELD(tp, repair))
		flags |= FLAG_REPAIR;
	return flags;
}

/* Writes the record of a session that ended, if the filters let it through. */
static __always_inline void report(struct sock *sk, struct live *live, __u8 last_state, __u32 flags)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u16 family = packet_family(sk);
	__u16 local_port, peer_port;
	struct record *record;

	if (!tp)
		return;
	live->reported = true;

	/* skc_num is already 0 for auto-bound and accepted sockets */
	local_port = from_network16(tp->inet_conn.icsk_inet.inet_sport);
	peer_port = from_network16(sk->__sk_common.skc_dport);
	if (filter_family && family != filter_family)
		return;
	if (filter_pid_count && !wants_pid(live->owner.pid))
		return;
	if (filter_local_ports && !wants_port(local_ports, local_port))
		return;
	if (filter_peer_ports && !wants_port(peer_ports, peer_port))
		return;

	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&lost_ring_full, 1);
		return;
	}
	record->wall_offset_ns = 0;
	record->end_ns = bpf_ktime_get_boot_ns();
	record->start_ns = live->start_ns;
	if (!record->start_ns) /* the earliest time known to be true */
		record->start_ns = live->owner.process_start_ns > tracer_start_ns ?
					   live->owner.process_start_ns : tracer_start_ns;
	record->established_ns = live->established_ns;
	record->fin_sent_ns = live->fin_sent_ns;
	record->fin_received_ns = live->fin_received_ns;
	record->cookie = LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 12, 0) ?
				 bpf_get_socket_cookie(sk) :
				 (__u64)sk->__sk_common.skc_cookie.counter;
	record->bytes_acked = tp->bytes_acked;
	record->bytes_received = tp->bytes_received;
	record->bytes_sent = tp->bytes_sent;
	record->bytes_retrans = tp->bytes_retrans;
	record->owner = live->owner;
	record->netns = sk->__sk_common.skc_net.net->ns.inum;
	record->snd_una = tp->snd_una;
	record->snd_nxt = tp->snd_nxt;
	record->write_seq = tp->write_seq;
	record->rcv_nxt = tp->rcv_nxt;
	record->copied_seq = tp->copied_seq;
	record->data_segs_in = tp->data_segs_in;
	record->data_segs_out = tp->data_segs_out;
	record->total_retrans = tp->total_retrans;
	record->srtt_us = tp->srtt_us >> 3;
	record->rtt_min_us = tp->rtt_min.s[0].v;
	record->handshake_rtt_us = live->handshake_rtt_us;
	record->flags = live->flags | flags | end_flags(tp, sk);
	record->family = family;
	record->local_port = local_port;
	record->peer_port = peer_port;
	record->err = sk->sk_err;
	record->last_state = last_state;
	record->role = live->role;
	record->shutdown = sk->sk_shutdown;
	__builtin_memset(record->pad, 0, sizeof(record->pad));
	read_addresses(record, sk);
	/* Wakes the reader only when it has caught up and sleeps. */
	bpf_ringbuf_submit(record, 0);
}

/* Starts a session, or another attempt on the same socket. Keeps the owner. */
static __always_inline void begin(struct live *live, __u8 role)
{
	live->start_ns = bpf_ktime_get_boot_ns();
	live->established_ns = 0;
	live->fin_sent_ns = 0;
	live->fin_received_ns = 0;
	live->handshake_rtt_us = 0;
	live->flags = FLAG_START_OBSERVED;
	live->role = role;
	live->reported = false;
}

static __always_inline void forget_owner(struct live *live)
{
	__builtin_memset(&live->owner, 0, sizeof(live->owner));
}

SEC("tp_btf/inet_sock_set_state")
int set_state(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	int old_state = args[1];
	int new_state = args[2];
	struct live *live;
	bool owned;

	if (!is_tcp(sk))
		return 0;
	if (new_state == TCP_CLOSE && (old_state == TCP_LISTEN || old_state == TCP_CLOSE))
		return 0;

	live = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!live) {
		__sync_fetch_and_add(&lost_storage_failed, new_state == TCP_CLOSE);
		return 0;
	}
	if (live->role == ROLE_LISTENER && new_state != TCP_SYN_RECV && new_state != TCP_LISTEN &&
	    new_state != TCP_SYN_SENT) {
		begin(live, ROLE_PASSIVE); /* a child whose SYN_RECV was missed */
		live->flags = 0;
	}
	owned = sk->sk_lock.owned;
	live->last_state = new_state;

	switch (new_state) {
	case TCP_SYN_SENT:
		begin(live, ROLE_ACTIVE);
		forget_owner(live);
		if (owned)
			learn_owner(live, sk, OWNER_CONNECT);
		break;
	case TCP_LISTEN:
		begin(live, ROLE_LISTENER);
		forget_owner(live);
		if (owned)
			learn_owner(live, sk, OWNER_LISTEN);
		break;
	case TCP_SYN_RECV:
		/* from SYN_SENT it is a simultaneous open: the role stays */
		if (old_state != TCP_SYN_SENT)
			begin(live, ROLE_PASSIVE);
		break;
	case TCP_ESTABLISHED:
		live->established_ns = bpf_ktime_get_boot_ns();
		if (live->role == ROLE_PASSIVE) {
			struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

			if (tp)
				live->handshake_rtt_us = tp->srtt_us >> 3;
		}
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		live->fin_sent_ns = bpf_ktime_get_boot_ns();
		if (!(live->flags & FLAG_PEER_FIN_FIRST))
			live->flags |= FLAG_LOCAL_FIN_FIRST;
		if (owned && live->owner.source < OWNER_CLOSE)
			learn_owner(live, sk, OWNER_CLOSE);
		break;
	case TCP_CLOSE_WAIT:
		live->flags |= FLAG_PEER_FIN_FIRST;
		/* fallthrough */
	case TCP_CLOSING:
		live->fin_received_ns = bpf_ktime_get_boot_ns();
		break;
	case TCP_CLOSE:
		/* a child of a listener whose creation failed was never a session */
		if (live->reported || (old_state == TCP_SYN_RECV && live->role == ROLE_PASSIVE))
			break;
		if (live->role == ROLE_UNKNOWN && !report_existing)
			break;
		report(sk, live, old_state, 0);
		break;
	}
	return 0;
}

/*
 * A program that a softirq interrupts makes the inner run on that CPU be
 * skipped. This hook has a guard of its own, and follows every CLOSE: it
 * reports what CLOSE did not.
 */
SEC("tp_btf/tcp_destroy_sock")
int destroy_sock(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (!live || live->reported || live->role == ROLE_LISTENER || !is_tcp(sk))
		return 0;
	if (live->role == ROLE_UNKNOWN && !report_existing)
		return 0;
	if (live->role == ROLE_PASSIVE && live->last_state == TCP_CLOSE)
		return 0;
	report(sk, live, live->last_state, FLAG_BACKSTOP);
	return 0;
}

/*
 * The process that receives is the one that accepted, whoever listened. A socket
 * from before the start has no state yet.
 */
static __always_inline int learn_user(struct sock *sk)
{
	struct live *live = bpf_sk_storage_get(&sockets, sk, NULL,
					       report_existing ? BPF_SK_STORAGE_GET_F_CREATE : 0);

	if (live && live->owner.source < OWNER_RECV)
		learn_owner(live, sk, OWNER_RECV);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int receive(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];

	return sk->sk_lock.owned ? learn_user(sk) : 0;
}

/* Process context, but the lock is not held here. Linux 6.3+. */
SEC("tp_btf/sock_send_length")
int send(const __u64 *args)
{
	struct sock *sk = (struct sock *)args[0];
	int ret = args[1];

	return ret > 0 && is_tcp(sk) ? learn_user(sk) : 0;
}

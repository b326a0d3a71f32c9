/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What user space sets before the program loads, and reads while it runs. */
#ifndef TCPSPAN_SETTINGS_H
#define TCPSPAN_SETTINGS_H

#include "kernel.h"
#include "helpers.h"

extern int LINUX_KERNEL_VERSION __kconfig; /* filled in by libbpf */

/* The verifier removes what is unset. */
#define MAX_PIDS 64
const volatile __u32 filter_pid_count = 0;
const volatile __u32 filter_pids[MAX_PIDS] = {};
const volatile bool filter_local_ports = false;
const volatile bool filter_peer_ports = false;
const volatile __u8 local_ports[65536 / 8] = {};
const volatile __u8 peer_ports[65536 / 8] = {};
const volatile __u16 filter_family = 0;   /* only AF_INET or only AF_INET6; 0: both */
const volatile bool include_networks = false; /* only those in the map of networks */
const volatile bool exclude_networks = false;
const volatile bool exclude_executables = false;
const volatile bool exclude_cgroups = false;
const volatile __u64 min_bytes = 0;       /* of payload, both ways */
const volatile __u64 min_duration_ns = 0;
const volatile __u64 most_per_second = 0; /* records; 0: any number */
const volatile bool sampling = false;
const volatile bool keep_errors = false;  /* what may be a failure, whatever its trace id */
const volatile __u64 sampling_threshold = 0; /* of 56 bits */
const volatile __u64 trace_key[2] = {};   /* of the hash that makes trace ids */
const volatile bool report_existing = true; /* sessions open before the start */
const volatile __u64 interim_ns = 0;      /* report open sessions each time this has passed */
const volatile __u32 own_pid = 0;         /* the tracer, in its own pid namespace */
const volatile bool own_traffic = true;   /* trace the tracer's own sessions as well */
const volatile __u32 pid_namespace = 0;   /* inode of the tracer's pid namespace */
/* Programs that share their maps: those of one generation work, the others stand by. */
const volatile __u64 generation = 0;

/* In .bss, which user space maps. */
__u64 active_generation = 0; /* set by user space */
__u64 tracing_since_ns = 0;  /* set by user space: CLOCK_BOOTTIME of the first generation's start */
__u64 skipped_runs = 0;      /* set by user space: of programs of earlier generations */
__u64 lost_ring_full = 0;
__u64 lost_storage_failed = 0;
__u64 count_until = 0; /* set by user space: sessions that begin later are not counted */
__u64 still_open = 0;  /* sessions whose start was seen, counted by a walk */
__u64 sampled_out = 0; /* sessions, or reports of open ones */
__u64 over_cap = 0;    /* the same, beyond most_per_second */
__u64 second_began = 0; /* start of the second that in_second counts */
__u64 in_second = 0;
__u64 round_began_ns = 0; /* set by user space: start of this round of reports of open sessions */
__u64 last_round = 0;     /* set by user space: 1 once that round is the last */

/*
 * Set by user space, for the next run: what the clocks showed, the newest first.
 * The time by CLOCK_BOOTTIME, CLOCK_REALTIME - CLOCK_BOOTTIME (0: no reading), and
 * CLOCK_TAI - CLOCK_REALTIME, in nanoseconds.
 */
__s64 clock_readings[16 * 3] = {};

/* Each CPU counts in a cache line of its own; CPUs beyond the last share them. */
#define MAX_CPUS 256
struct tally {
	__s64 open; /* sessions and attempts whose start was seen, minus those whose end was */
	__u64 pad[7];
} __attribute__((aligned(64)));
struct tally tallies[MAX_CPUS] = {};

/*
 * Sessions whose active end was established on this host, by the initial sequence
 * numbers of both ends, which are the same at the other end. An entry is needed
 * until that end is established too, mostly within microseconds.
 */
#define MAX_JOINING 4096
__u64 joining[MAX_JOINING] = {};

/* Whether the tracer connected to a port with these last 8 bits. */
__u8 own_peer_ports[256] = {};

/*
 * The version of the state that programs of several generations share: what the
 * maps of sockets mean. Raise it if their meaning changes and their layout does
 * not.
 */
enum state_version {
	STATE_VERSION = 2,
};

/* The layout of records and counters as text, for a later version of the tracer. */
struct description {
	char text[4096];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct description);
} description SEC(".maps");

#endif

/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the programs use of the kernel, libbpf and the compiler's CO-RE builtins.
 * Not libbpf's headers: the object would differ with their version.
 */
#ifndef TCPSPAN_HELPERS_H
#define TCPSPAN_HELPERS_H

#include "kernel.h"

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __kconfig __attribute__((section(".kconfig")))
/* Makes the compiler read memory again. */
#define barrier() asm volatile("" ::: "memory")
#define KERNEL_VERSION(major, minor, patch) (((major) << 16) + ((minor) << 8) + (patch))

/* Map definitions: libbpf reads numbers as array lengths, types as pointers. */
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name

/* Helper functions by number, include/uapi/linux/bpf.h. */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value,
				   __u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static __u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static __u64 (*bpf_get_current_uid_gid)(void) = (void *)15;
static __u64 (*bpf_get_socket_cookie)(void *socket) = (void *)46;
static __u64 (*bpf_get_current_cgroup_id)(void) = (void *)80;
static void *(*bpf_sk_storage_get)(void *map, void *sk, void *value, __u64 flags) = (void *)107;
static long (*bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_kernel_str)(void *to, __u32 size, const void *from) = (void *)115;
static __u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_seq_write)(struct seq_file *seq, const void *data, __u32 length) = (void *)127;
static void *(*bpf_ringbuf_reserve)(void *ring, __u64 size, __u64 flags) = (void *)131;
static void (*bpf_ringbuf_submit)(void *record, __u64 flags) = (void *)132;
static void (*bpf_ringbuf_discard)(void *record, __u64 flags) = (void *)133;
static struct tcp_sock *(*bpf_skc_to_tcp_sock)(void *sk) = (void *)137;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static struct socket *(*bpf_sock_from_file)(struct file *file) = (void *)162;
static __u64 (*bpf_ktime_get_tai_ns)(void) = (void *)208; /* Linux 6.1+ */

/*
 * Counters of loops have 64 bits: verifiers up to early 5.15 forget the value of
 * a smaller one that is spilled to the stack, and take the loop for endless.
 */

/* A field's offset and a type's size in the running kernel. */
#define field_offset(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)
#define type_size(type) __builtin_preserve_type_info(*(type *)0, 1)
/* Whether the running kernel has a field. */
#define field_exists(type, field) __builtin_preserve_field_info(((type *)0)->field, 2)

/*
 * Reads a bit field of an object that the verifier lets us read. Loads the bytes
 * around it, and shifts the field out of them by the running kernel's layout.
 */
#define READ_BITFIELD(object, field)                                                        \
	({                                                                                  \
		const void *at = (const void *)(object) +                                   \
				 __builtin_preserve_field_info((object)->field, 0);         \
		__u64 value = 0;                                                            \
		switch (__builtin_preserve_field_info((object)->field, 1)) {                \
		case 1: value = *(const __u8 *)at; break;                                   \
		case 2: value = *(const __u16 *)at; break;                                  \
		case 4: value = *(const __u32 *)at; break;                                  \
		case 8: value = *(const __u64 *)at; break;                                  \
		}                                                                           \
		value <<= __builtin_preserve_field_info((object)->field, 4);                \
		value >> __builtin_preserve_field_info((object)->field, 5);                 \
	})

/* The same of an object that is not read through the verifier: by its address. */
#define READ_BITFIELD_AT(type, address, field)                                              \
	({                                                                                  \
		__u64 value = 0;                                                            \
		bpf_probe_read_kernel(&value,                                               \
				      __builtin_preserve_field_info(((type *)0)->field, 1), \
				      (void *)((address) + field_offset(type, field)));     \
		value <<= __builtin_preserve_field_info(((type *)0)->field, 4);             \
		value >> __builtin_preserve_field_info(((type *)0)->field, 5);              \
	})

/* A field of such an object. */
#define READ_AT(type, address, field)                                                       \
	({                                                                                  \
		typeof(((type *)0)->field) value = 0;                                       \
		bpf_probe_read_kernel(&value, sizeof(value),                                \
				      (void *)((address) + field_offset(type, field)));     \
		value;                                                                      \
	})

/* Every target is little-endian. */
#define to_network32(value) __builtin_bswap32(value)
#define from_network16(value) __builtin_bswap16(value)
#define from_network64(value) __builtin_bswap64(value)

#endif

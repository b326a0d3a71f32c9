/** What a run no longer needs once it traces, and can give up (`drop_privileges`). */
import { type DeniedCall, denySystemCalls } from "../../ffi/seccomp.ts";
import type { Omission } from "../capture/omission.ts";
import { messageOf } from "../messages/errors.ts";

// include/uapi/linux/bpf.h, enum bpf_cmd: what walks, counters and excluded cgroups need. None
// of them makes a program, a map or a link, or opens somebody else's by its id.
const BPF = {
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  OBJ_GET_INFO_BY_FD: 15,
  MAP_LOOKUP_BATCH: 24,
  ITER_CREATE: 33,
} as const;

/** Each helps somebody who has taken over this process; tracing needs none of them. */
const DENIED: readonly DeniedCall[] = [
  { name: "bpf", except: Object.values(BPF) },
  ...[
    // kernel programs and modules
    "perf_event_open",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    // other programs: new ones, and the insides of those that run
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    // other places: namespaces, mounts, files behind them
    "setns",
    "unshare",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "open_by_handle_at",
    // the host as a whole
    "reboot",
    "swapon",
    "swapoff",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "acct",
    "quotactl",
    "syslog",
    "iopl",
    "ioperm",
    // ways around a filter, and what attacks on the kernel like to start from
    "io_uring_setup",
    "userfaultfd",
    "add_key",
    "keyctl",
    "request_key",
    "personality",
  ].map((name) => ({ name })),
];

/**
 * Gives up, for all threads and for good, what is needed only before tracing: loading kernel
 * programs, starting programs, entering namespaces, and more that nobody should do in this process.
 * Capabilities themselves stay: Linux takes them from one thread at a time, and Deno has many.
 * @returns what the run lacks, if this host cannot do it
 */
export function dropPrivileges(): readonly Omission[] {
  try {
    denySystemCalls(DENIED);
    return [];
  } catch (error) {
    return [{
      key: "drop_privileges",
      part: "drop_privileges",
      loss:
        "this process keeps all its privileges: to drop them takes a kernel with seccomp filters " +
        "and the package libseccomp2",
      reason: messageOf(error),
    }];
  }
}

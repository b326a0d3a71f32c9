/** What a capture runs without because the host refuses it. */

import { SYS_ADMIN } from "../host/capabilities.ts";

/** A part that the host refused. */
export interface Omission {
  /** A program of bpf/tcpspan.bpf.c, or another name. */
  readonly key: string;
  /** What was refused. */
  readonly part: string;
  /** What is lost without it, in the user's words. */
  readonly loss: string;
  /** Why it was refused, in the system's words. */
  readonly reason: string;
}

/** The programs of bpf/tcpspan.bpf.c that a capture can do without: all but `set_state`. */
const PROGRAMS = {
  destroy_sock: {
    part: "the tracepoint tcp_destroy_sock",
    loss: "a session is lost if the kernel runs no program at its end, and what a process left " +
      "unread in a reset session is not known",
  },
  receive: {
    part: "the tracepoint tcp_rcv_space_adjust",
    loss:
      "an accepted session belongs to the process that listens until another one sends or closes",
  },
  send: {
    part: "the tracepoint sock_send_length (Linux 6.3)",
    loss:
      "an accepted session that only sends belongs to the process that listens until it is closed",
  },
  receive_mptcp: {
    part: "the tracepoint sock_recv_length (Linux 6.3)",
    loss:
      "an accepted session of MPTCP or in a sockmap that only receives belongs to the process that listens until " +
      "it is closed",
  },
  seed_owner: {
    part: "the iterator seed_owner (iter/task_file)",
    loss: "sessions that were open before the start have no process until one receives, sends or " +
      "closes",
  },
  seed_role: {
    part: "the iterator seed_role (iter/tcp)",
    loss: "sessions that were open before the start have no role until their end, and no report " +
      "before it",
  },
  report_files: {
    part: "the iterator report_files (iter/task_file)",
    loss: "sessions in other network namespaces are not reported while they are open",
  },
  report_sockets: {
    part: "the iterator report_sockets (iter/tcp)",
    loss: "sessions that no process holds, not accepted yet or closed with data to send, are not " +
      "reported while they are open",
  },
  count_files: {
    part: "the iterator count_files (iter/task_file)",
    loss: "sessions that the kernel ran no program for are not counted at the end",
  },
  count_sockets: {
    part: "the iterator count_sockets (iter/tcp)",
    loss: "sessions that the kernel ran no program for are not counted at the end",
  },
} as const;

/** What else it can do without. */
const REST = {
  namespaces: {
    part: "entering other network namespaces (CAP_SYS_ADMIN and CAP_SYS_PTRACE)",
    loss: SYS_ADMIN.loss,
  },
  pin: {
    part: "capture.pin",
    loss: "sessions that end while tcpspan does not run are lost",
  },
  exclude_cgroups: {
    part: "capture.exclude_cgroups",
    loss: "sessions of these cgroups are reported like others",
  },
} as const;

const PARTS = { ...PROGRAMS, ...REST };

/** A program that a capture can do without. */
export type OptionalProgram = keyof typeof PROGRAMS;

/** What a capture can do without. */
export type OptionalPart = keyof typeof PARTS;

/** Whether a capture can do without `program`. */
export function isOptional(program: string): program is OptionalProgram {
  return Object.hasOwn(PROGRAMS, program);
}

/** The omission of `part`. @param reason why, in the system's words */
export function omissionOf(part: OptionalPart, reason: string): Omission {
  return { key: part, ...PARTS[part], reason };
}

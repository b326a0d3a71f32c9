/** Where the kernel program is called. */
import { Btf } from "../../ffi/btf.ts";

/** A tracepoint and the program of bpf/tcpspan.bpf.c that attaches to it. */
export interface Hook {
  readonly program: string;
  readonly tracepoint: string;
}

/** All hooks of the kernel program. */
export const HOOKS: readonly Hook[] = [
  { program: "set_state", tracepoint: "inet_sock_set_state" },
  { program: "destroy_sock", tracepoint: "tcp_destroy_sock" },
  { program: "receive", tracepoint: "tcp_rcv_space_adjust" },
  { program: "send", tracepoint: "sock_send_length" },
  { program: "receive_mptcp", tracepoint: "sock_recv_length" },
];

let present: readonly Hook[] | undefined;

/**
 * The hooks that the running kernel has. Reads its type information only once: that takes a while.
 */
export function presentHooks(): readonly Hook[] {
  if (present === undefined) {
    using btf = Btf.kernel();
    present = HOOKS.filter(({ tracepoint }) => btf.hasTracepoint(tracepoint));
  }
  return present;
}

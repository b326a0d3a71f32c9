/**
 * Initial sequence numbers, from the kernel's counters in `struct tcp_sock`: bpf/numbers.h computes
 * the same in the kernel. Sequence numbers wrap at 2^32, the counters of bytes do not: their low
 * words are enough.
 */

/** This end's. bytes_acked counts the opener's SYN. @param passive 1 if this end accepted */
export function localInitialNumber(sndUna: number, bytesAcked: number, passive: 0 | 1): number {
  return sndUna - bytesAcked - passive >>> 0;
}

/** The other end's; its SYN is not in bytes_received. */
export function peerInitialNumber(rcvNxt: number, bytesReceived: number): number {
  return rcvNxt - bytesReceived - 1 >>> 0;
}

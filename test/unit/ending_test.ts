/** A row for each line of "How it ended" in docs/kernel.md. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { type Ending, endingOf } from "../../src/session/ending.ts";
import { FLAG } from "../../src/session/record_layout.ts";
import { makeSession, type RecordFields } from "../fixtures.ts";

const { errno } = constants;

interface Row {
  readonly name: string;
  readonly fields: Partial<RecordFields>;
  readonly by: Ending["by"];
  readonly reason: Ending["reason"];
  /** error.type; a row without it is no failure. */
  readonly error?: string;
}

const OBSERVED = FLAG.START_OBSERVED;
const LOCAL = OBSERVED | FLAG.LOCAL_FIN_FIRST;
const PEER = OBSERVED | FLAG.PEER_FIN_FIRST | FLAG.SOCK_DONE;
/** A SYN that left and was not acknowledged. */
const SYN = { last_state: "syn_sent", snd_una: 1000, write_seq: 1001 } as const;
/** 100 bytes that were not acknowledged. */
const IN_FLIGHT = { snd_una: 5000, write_seq: 5100 } as const;

const ROWS: Row[] = [
  {
    name: "FIN by local first",
    fields: { last_state: "fin_wait2", flags: LOCAL | FLAG.SOCK_DONE },
    by: "local",
    reason: "fin",
  },
  {
    name: "FIN by local first, the peer's not yet seen",
    fields: { last_state: "fin_wait2", flags: LOCAL },
    by: "local",
    reason: "fin",
  },
  {
    name: "FIN by peer first",
    fields: { last_state: "last_ack", flags: PEER },
    by: "peer",
    reason: "fin",
  },
  {
    name: "FIN by local first, with only FIN_WAIT1 seen",
    fields: { last_state: "fin_wait1", flags: LOCAL | FLAG.SOCK_DONE | FLAG.BACKSTOP, shutdown: 3 },
    by: "local",
    reason: "fin",
  },
  {
    name: "FIN by peer first, unseen, then the peer's reset",
    fields: {
      last_state: "established",
      flags: OBSERVED | FLAG.SOCK_DONE | FLAG.BACKSTOP,
      err: errno.EPIPE,
    },
    by: "peer",
    reason: "reset",
    error: "connection_reset",
  },
  {
    name: "simultaneous close",
    fields: { last_state: "closing", flags: LOCAL | FLAG.SOCK_DONE },
    by: "local",
    reason: "fin",
  },
  {
    name: "linger-0 abort",
    fields: { last_state: "established", flags: OBSERVED | FLAG.LINGER_ZERO | FLAG.OWNED },
    by: "local",
    reason: "aborted",
  },
  {
    name: "linger-0 abort after shutdown()",
    fields: { last_state: "fin_wait1", flags: LOCAL | FLAG.LINGER_ZERO | FLAG.OWNED },
    by: "local",
    reason: "aborted",
  },
  {
    name: "linger-0 abort after shutdown() whose FIN was acknowledged",
    fields: { last_state: "fin_wait2", flags: LOCAL | FLAG.LINGER_ZERO | FLAG.OWNED },
    by: "local",
    reason: "aborted",
  },
  {
    name: "close with unread data",
    fields: {
      last_state: "established",
      flags: OBSERVED | FLAG.OWNED,
      rcv_nxt: 20,
      copied_seq: 10,
    },
    by: "local",
    reason: "aborted",
  },
  {
    name: "connect(AF_UNSPEC)",
    fields: { last_state: "established", flags: OBSERVED | FLAG.OWNED, shutdown: 0 },
    by: "local",
    reason: "aborted",
  },
  {
    name: "TCP_REPAIR close",
    fields: { last_state: "established", flags: OBSERVED | FLAG.OWNED | FLAG.REPAIR },
    by: "local",
    reason: "aborted",
  },
  {
    name: "peer's RST",
    fields: { last_state: "established", flags: OBSERVED, err: errno.ECONNRESET, shutdown: 0 },
    by: "peer",
    reason: "reset",
    error: "connection_reset",
  },
  {
    name: "peer's RST after its FIN",
    fields: { last_state: "close_wait", flags: PEER, err: errno.EPIPE, shutdown: 1 },
    by: "peer",
    reason: "reset",
    error: "connection_reset",
  },
  {
    name: "data arrived after close()",
    fields: { last_state: "fin_wait1", flags: LOCAL, err: errno.ECONNRESET },
    by: "local",
    reason: "reset",
    error: "connection_reset",
  },
  {
    name: "MPTCP's DATA_FIN by local first, then the reset of a peer that had not read all",
    fields: {
      last_state: "established",
      flags: LOCAL | FLAG.MPTCP | FLAG.ALL_READ,
      err: errno.ECONNRESET,
    },
    by: "local",
    reason: "fin",
  },
  {
    name: "the same, with data that was not acknowledged",
    fields: {
      ...IN_FLIGHT,
      last_state: "established",
      flags: LOCAL | FLAG.MPTCP | FLAG.ALL_READ,
      err: errno.ECONNRESET,
    },
    by: "local",
    reason: "reset",
    error: "connection_reset",
  },
  {
    name: "MPTCP's DATA_FIN by shutdown(), then a reset while the process still reads",
    fields: { last_state: "established", flags: LOCAL | FLAG.MPTCP, err: errno.ECONNRESET },
    by: "local",
    reason: "reset",
    error: "connection_reset",
  },
  {
    name: "refused",
    fields: { ...SYN, err: errno.ECONNREFUSED, shutdown: 0 },
    by: "peer",
    reason: "refused",
    error: "connection_refused",
  },
  {
    name: "SYN timed out",
    fields: { ...SYN, err: errno.ETIMEDOUT, shutdown: 0, total_retrans: 6 },
    by: "kernel",
    reason: "timeout",
    error: "timed_out",
  },
  {
    name: "host unreachable",
    fields: { ...SYN, err: errno.EHOSTUNREACH, shutdown: 0 },
    by: "kernel",
    reason: "unreachable",
    error: "host_unreachable",
  },
  {
    name: "network unreachable",
    fields: { ...SYN, err: errno.ENETUNREACH, shutdown: 0 },
    by: "kernel",
    reason: "unreachable",
    error: "network_unreachable",
  },
  {
    name: "connect abandoned",
    fields: { ...SYN, flags: OBSERVED | FLAG.OWNED },
    by: "local",
    reason: "aborted",
  },
  {
    name: "no free local port",
    fields: {
      last_state: "syn_sent",
      flags: OBSERVED | FLAG.OWNED,
      shutdown: 0,
      local_port: 0,
      snd_una: 0,
      write_seq: 0,
    },
    by: "kernel",
    reason: "error",
    error: "eaddrnotavail",
  },
  {
    name: "user timeout",
    fields: {
      ...IN_FLIGHT,
      last_state: "established",
      flags: OBSERVED,
      err: errno.ETIMEDOUT,
      shutdown: 0,
    },
    by: "kernel",
    reason: "timeout",
    error: "timed_out",
  },
  {
    name: "user timeout with the link dead",
    fields: {
      ...IN_FLIGHT,
      last_state: "established",
      flags: OBSERVED,
      err: errno.EHOSTUNREACH,
      shutdown: 0,
    },
    by: "kernel",
    reason: "timeout",
    error: "host_unreachable",
  },
  {
    name: "keep-alive",
    fields: {
      last_state: "established",
      flags: OBSERVED,
      err: errno.ETIMEDOUT,
      shutdown: 0,
    },
    by: "kernel",
    reason: "timeout",
    error: "timed_out",
  },
  {
    name: "orphan's FIN never answered",
    fields: {
      last_state: "fin_wait1",
      flags: LOCAL,
      err: errno.ETIMEDOUT,
      snd_una: 5000,
      write_seq: 5001,
    },
    by: "local",
    reason: "timeout",
    error: "timed_out",
  },
  {
    name: "listener closed, never accepted",
    fields: { last_state: "established", flags: OBSERVED, shutdown: 0 },
    by: "local",
    reason: "aborted",
  },
  {
    name: "ss -K",
    fields: {
      last_state: "established",
      flags: OBSERVED | FLAG.OWNED,
      err: errno.ECONNABORTED,
      shutdown: 0,
    },
    by: "kernel",
    reason: "aborted",
  },
  {
    name: "an old error before a normal close",
    fields: { last_state: "fin_wait2", flags: LOCAL, err: errno.EHOSTUNREACH },
    by: "local",
    reason: "fin",
  },
  {
    name: "another error",
    fields: { last_state: "established", flags: OBSERVED, err: errno.EPROTO },
    by: "kernel",
    reason: "error",
    error: "eproto",
  },
  {
    name: "an error without a name",
    fields: { last_state: "established", flags: OBSERVED, err: 4000 },
    by: "kernel",
    reason: "error",
    error: "errno_4000",
  },
];

for (const { name, fields, by, reason, error } of ROWS) {
  Deno.test(`endingOf() recognizes: ${name}`, () => {
    const ending = endingOf(makeSession(fields));
    assert.deepEqual({ by: ending.by, reason: ending.reason, error: ending.error?.type }, {
      by,
      reason,
      error,
    });
  });
}

Deno.test("endingOf() gives each failure a message that a person can read", () => {
  for (const { fields, error } of ROWS) {
    if (error === undefined) continue;
    assert.match(endingOf(makeSession(fields)).error?.message ?? "", /^[a-z][A-Za-z ]+[a-zA-Z]$/);
  }
});

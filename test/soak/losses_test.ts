/** The tracer's messages about its losses. */
import { strict as assert } from "node:assert";
import { readLosses } from "./losses.ts";

Deno.test("readLosses() separates sessions that were unseen at their end from other losses", () => {
  const lines = [
    "tcpspan: lost 2 sessions: the kernel ran no program at their end",
    "tcpspan: lost 1 session: the kernel ran no program at its end",
    "tcpspan: lost 1 session: the ring buffer was full (capture.ring_buffer)",
    "tcpspan: lost 2 sessions: the kernel had no memory for a socket's state",
    "tcpspan: 7 state changes were not seen: the kernel skips a program that interrupts itself",
    "tcpspan: something else",
  ];
  assert.deepEqual(readLosses(lines), {
    unseen: 3,
    other: 3,
    skippedRuns: 7,
    warnings: ["tcpspan: something else"],
  });
});

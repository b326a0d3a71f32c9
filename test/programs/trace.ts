/**
 * Captures the ends of one session, and prints their owners: `trace.ts PORT`. Prints a line once it
 * captures, and one for each of the two ends, as JSON.
 */
import { capture } from "../kernel/capture.ts";

const port = Number(Deno.args[0]);
await using sessions = await capture({ signal: AbortSignal.timeout(20_000) });
console.log("tracing");
let left = 2;
for await (const batch of sessions) {
  for (const session of batch) {
    if (session.localPort !== port && session.peerPort !== port) continue;
    const { role, pid, comm, executable, ownerSource } = session;
    console.log(JSON.stringify({ role, pid: pid ?? null, comm, executable, ownerSource }));
    if (--left === 0) sessions.stop();
  }
}

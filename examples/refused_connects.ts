/**
 * A line for each connect that was refused on this host, with the time, who tried, and whom it tried:
 *
 *     sudo deno run -A examples/refused_connects.ts
 *
 * With ports as arguments, only for those: `… refused_connects.ts 5432 6379`. Ctrl-C ends it.
 */
import { capture } from "../mod.ts";

await using sessions = await capture({ remotePorts: Deno.args.map(Number), existing: false });
const stop = () => sessions.stop();
Deno.addSignalListener("SIGINT", stop);
for await (const batch of sessions) {
  for (const { ending, role, endUnixNs, comm, pid, peerAddress, peerPort } of batch) {
    if (role !== "active" || ending?.reason !== "refused") continue;
    const time = new Date(Number(endUnixNs / 1_000_000n)).toISOString();
    console.log(`${time} ${comm} (${pid ?? "-"}) was refused by ${peerAddress} port ${peerPort}`);
  }
}
Deno.removeSignalListener("SIGINT", stop);
const { ringFull } = sessions.losses();
if (ringFull > 0) {
  console.error(`${ringFull} sessions were lost: a refusal may have been among them`);
}

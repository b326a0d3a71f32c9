/**
 * The processes that moved most bytes, every ten seconds, or at the interval that you name:
 *
 *     sudo deno run -A examples/top_talkers.ts 5
 *
 * Payload of both ends on this host is counted, so a session over loopback counts twice. Ctrl-C ends it
 * with what was moved since the last table.
 */
import { capture, type Session } from "../mod.ts";

const MOST = 10; // processes in a table
const intervalMs = 1000 * Number(Deno.args[0] ?? 10);

/** Bytes since the last table, by process. */
const moved = new Map<string, number>();
/** Bytes of sessions that are still open, as they were last reported. */
const reported = new Map<string, number>();

/** A session that lasts is reported again and again, each time with all of its bytes. */
function count(session: Session): void {
  const process = `${session.pid ?? "-"}\t${session.executable || session.comm || "unknown"}`;
  const id = `${session.cookie} ${session.startBootNs}`;
  const bytes = session.txBytes + session.rxBytes;
  moved.set(process, (moved.get(process) ?? 0) + bytes - (reported.get(id) ?? 0));
  if (session.interim > 0) reported.set(id, bytes);
  else reported.delete(id);
}

function print(): void {
  const top = [...moved].filter(([, bytes]) => bytes > 0).sort(([, a], [, b]) => b - a);
  console.log("BYTES\tPID\tPROCESS");
  for (const [process, bytes] of top.slice(0, MOST)) console.log(`${bytes}\t${process}`);
  moved.clear();
}

await using sessions = await capture({ interim: intervalMs, reportOpenOnExit: true });
const stop = () => sessions.stop();
Deno.addSignalListener("SIGINT", stop);
const timer = setInterval(print, intervalMs);
for await (const batch of sessions) {
  for (const session of batch) count(session);
}
clearInterval(timer);
Deno.removeSignalListener("SIGINT", stop);
print();

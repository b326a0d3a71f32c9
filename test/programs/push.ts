/**
 * Pushes sessions into a persistent queue until it is killed: their pids rise from `FIRST`. Writes
 * `pushed PID COUNT` when a push has returned, and `delivered PID PID …` for an export.
 *
 *     deno run -A test/programs/push.ts STORAGE FIRST
 */
import { openQueue } from "../../src/queue/open.ts";
import { pids, sessions } from "../spool.ts";

const [storage = "", first = "1"] = Deno.args;

function write(...words: readonly (string | number)[]): void {
  let bytes: Uint8Array = new TextEncoder().encode(`${words.join(" ")}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

const queue = await openQueue({
  id: "otlp/x",
  baseDirectory: storage,
  warn: (message) => write("warning", message),
  inform: () => {},
  exporter: {
    export(batch) {
      if (Math.random() < 0.5) return Promise.resolve({ status: "retryable", reason: "busy" });
      write("delivered", ...pids(batch));
      return Promise.resolve({ status: "success" });
    },
    shutdown: () => Promise.resolve(),
  },
  settings: {
    queueSize: 1000,
    consumers: 3,
    batchSize: 50,
    linger: 0,
    whenFull: "drop_newest",
    retry: { initialInterval: 1, maxInterval: 10, maxElapsedTime: 0 },
    storage: { folder: ".", persistent: true, maxBytes: 64 * 2 ** 20 },
  },
});
queue.start();

for (let next = Number(first);;) {
  const count = 1 + Math.floor(Math.random() * 200);
  queue.push(sessions(next, count));
  write("pushed", next, count);
  next += count;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
}

/** Correctness under load: each end of each session is delivered, and delivered once. */
import assert from "node:assert/strict";
import { Load, LOAD_ALONE } from "../../bench/load.ts";
import { Sink } from "../../bench/sink.ts";
import { settle } from "../../bench/tracer.ts";
import { residentMb } from "../../bench/usage.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { lossesOf } from "./losses.ts";
import { startTcpspan } from "./tcpspan.ts";

/** As fast as two slow cores can make sessions and send their spans. */
const ORDERLY = { threads: 4, sessions: 180_000, rate: 9000 };
const RESET = { threads: 4, sessions: 120_000, rate: 6000, reset: true };

/** Lost on a machine that pauses for a moment; more is a defect. */
const MOST_LOST = 0.05;

const SETTLE_MS = 30_000; // on a busy machine

Deno.test("both ends of hundreds of thousands of sessions are delivered over OTLP once, or counted as lost", async () => {
  await using folder = await makeTempFolder();
  await using load = await Load.prepare(folder.path);
  await using sink = await Sink.start(folder.path);
  await sink.reset(load.netns);
  await using tool = await startTcpspan([], {
    config: `
      capture: { ${LOAD_ALONE} }
      exporters:
        otlp:
          endpoint: http://127.0.0.1:${sink.port}
    `,
  });
  const churned = await Promise.all([load.churn(ORDERLY), load.churn(RESET)]);
  await settle(tool, SETTLE_MS);
  const { status, stderr } = await tool.stop("SIGINT");
  const { matching, distinct } = await sink.count();

  assert.deepEqual(churned.map(({ sessions, failed }) => [sessions, failed]), [
    [ORDERLY.sessions, 0],
    [RESET.sessions, 0],
  ]);
  const made = 2 * (ORDERLY.sessions + RESET.sessions);
  assert.equal(status, 0, stderr);
  assert.equal(matching, distinct, "a span was delivered twice");
  assert.equal(
    distinct + lostIn(stderr, /^(the ring buffer was full|the kernel ran no program)/),
    made,
    stderr,
  );
  assert.ok(distinct >= made * (1 - MOST_LOST), stderr);
});

/** What the queue and its exports may hold, beyond what any run takes. */
const MOST_GROWTH_MB = 64;

Deno.test("when a destination stalls, the sessions that the queue has no room for are counted, in bounded memory", async () => {
  await using folder = await makeTempFolder();
  await using load = await Load.prepare(folder.path);
  await using sink = await Sink.start(folder.path);
  await using tool = await startTcpspan([], {
    config: `
      capture: { ${LOAD_ALONE} }
      exporters:
        otlp:
          endpoint: http://127.0.0.1:${sink.port}
          sending_queue: { queue_size: 20000 }
    `,
  });
  await sink.reset(load.netns);
  const warm = await load.churn({ threads: 4, sessions: 20_000, rate: 10_000 }); // what any run takes
  await settle(tool);
  const before = residentMb(tool.pid);
  sink.standStill();
  const { sessions } = await load.churn({ threads: 4, sessions: 60_000, rate: 15_000 });
  const after = residentMb(tool.pid);
  sink.goOn();
  await settle(tool, SETTLE_MS);
  const { stderr } = await tool.stop("SIGINT");
  const { matching, distinct } = await sink.count();

  assert.equal(matching, distinct, "a span was delivered twice");
  assert.match(stderr, /^tcpspan: lost \d+ sessions: otlp: its queue was full$/m);
  assert.equal(distinct + lostIn(stderr, /^/), 2 * (warm.sessions + sessions), stderr);
  assert.equal(stderr.match(/until now: its queue is full/g)?.length, 1, "told once a minute");
  assert.ok(after - before < MOST_GROWTH_MB, `grew by ${after - before} MB`);
});

/** How many sessions the last lines report as lost in places of a kind. */
function lostIn(stderr: string, kind: RegExp): number {
  return lossesOf(stderr).reduce((sum, [place, count]) => sum + (kind.test(place) ? count : 0), 0);
}

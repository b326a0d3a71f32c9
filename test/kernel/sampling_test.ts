/** Which sessions the kernel program keeps: those that their trace ids in user space select. */
import { strict as assert } from "node:assert";
import { endingOf } from "../../src/session/ending.ts";
import { IdHasher } from "../../src/ids/ids.ts";
import { FLAG } from "../../src/session/record_layout.ts";
import { threshold, thresholdText } from "../../src/ids/sampling.ts";
import type { Session } from "../../src/session/session.ts";
import { Burst } from "./burst.ts";
import { hasPort, summary, Trace } from "./harness.ts";
import { Namespace } from "./host.ts";
import { Kinds } from "./kinds.ts";

const KEY = "of the site";
const OTHERS_MS = 300; // to wait for what must not come

/** W3C Trace Context level 2: the last 56 bits of the trace id, as a number. */
function isSampled(session: Session, ratio: number): boolean {
  const hex = new IdHasher(KEY).identify(session).trace.hex;
  return BigInt(`0x${hex.slice(-14)}`) >= threshold(thresholdText(ratio));
}

function traceId(session: Session): string {
  return new IdHasher(KEY).identify(session).trace.hex;
}

/** Names an end alike in each capture. */
function keyOf({ cookie, role }: Session): string {
  return `${cookie} ${role}`;
}

function keysOf(sessions: readonly Session[]): string[] {
  return sessions.map(keyOf).sort();
}

function assertAll(sessions: readonly Session[], holds: (session: Session) => boolean): void {
  const others = sessions.filter((session) => !holds(session));
  assert.deepEqual(others.slice(0, 10).map(summary), []);
}

Deno.test("sampling keeps both ends of exactly those sessions whose trace ids reach the threshold", async () => {
  const ratio = 0.25;
  await using burst = await Burst.prepare({ clients: 4, threads: 2, sessions: 250 });
  await using all = await Trace.start();
  await using sampled = await Trace.start({ sampling: { ratio, key: KEY } });
  const ends = (await burst.run()).length;
  const sessions = await all.take(ends, hasPort(burst.port));
  const wanted = sessions.filter((session) => isSampled(session, ratio));
  const kept = await sampled.take(wanted.length, hasPort(burst.port));
  assert.deepEqual(keysOf(kept), keysOf(wanted));
  assertAll(kept, (session) => session.has(FLAG.SAMPLED));
  const traces = Map.groupBy(kept, traceId);
  for (const both of traces.values()) {
    assert.deepEqual(both.map(({ role }) => role).sort(), ["active", "passive"]);
  }
  const expected = ends / 2 * ratio;
  const sigma = Math.sqrt(expected * (1 - ratio));
  const off = Math.abs(traces.size - expected) / sigma;
  assert.ok(off < 5, `${traces.size} sessions, ${off} sigma from ${expected}`);
});

Deno.test("sampled-out sessions are counted, and take no room in the ring", async () => {
  const begin = Promise.withResolvers<void>();
  await using burst = await Burst.prepare({ clients: 4, threads: 2, sessions: 250 });
  await using trace = await Trace.start({
    sampling: { ratio: 0.25, key: KEY },
    ringBuffer: 256 * 1024, // room for about 880
    localPorts: [burst.port],
    reading: begin.promise,
  });
  const ends = (await burst.run()).length / 2;
  begin.resolve();
  await new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
  const kept = await trace.finish(hasPort(burst.port));
  assert.equal(trace.losses().ringFull, 0);
  assert.equal(kept.length + trace.sampledOut, ends);
  assert.ok(kept.length < ends / 2);
});

Deno.test("captures with other keys keep other sessions", async () => {
  await using burst = await Burst.prepare({ clients: 1, threads: 1, sessions: 200 });
  await using one = await Trace.start({ sampling: { ratio: 0.5, key: "a" } });
  await using other = await Trace.start({ sampling: { ratio: 0.5, key: "b" } });
  await burst.run();
  await new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
  const kept = keysOf(await one.finish(hasPort(burst.port)));
  assert.ok(kept.length > 0);
  assert.notDeepEqual(kept, keysOf(await other.finish(hasPort(burst.port))));
});

/** Kinds differ in how ids are made, or in where a record is written. */
function kindOf(session: Session): string {
  const { role, errno, startObserved } = session;
  const repair = session.has(FLAG.REPAIR) ? ", closed by TCP_REPAIR" : "";
  if (session.has(FLAG.RESTORED)) return `restored${repair}`;
  if (session.localPort === session.peerPort) return "with itself";
  if (!session.established) return errno === 0 ? "abandoned" : `attempt, errno ${errno}`;
  return `${startObserved ? "" : "older "}${role}${errno === 0 ? "" : `, errno ${errno}`}${repair}`;
}

const KINDS = [
  "abandoned",
  "active",
  "active, closed by TCP_REPAIR",
  "attempt, errno 111",
  "older active",
  "older passive",
  "passive",
  "passive, errno 104",
  "restored",
  "restored, closed by TCP_REPAIR",
  "with itself",
];

Deno.test("sampling decides by the span's trace id, for sessions and attempts of every kind", async () => {
  const ratio = 0.5;
  const each = 30;
  await using namespace = await Namespace.make();
  await namespace.ip("link", "set", "lo", "up");
  await using kinds = await Kinds.prepare(each, namespace.under);
  await using all = await Trace.start();
  await using sampled = await Trace.start({ sampling: { ratio, key: KEY } });
  await using withErrors = await Trace.start({ sampling: { ratio, key: KEY, keepErrors: true } });
  await kinds.make();
  await kinds.close();
  const here = (session: Session) => session.netns === namespace.inode;
  await all.until(13 * each + 2, here);
  await new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
  const sessions = await all.finish(here);
  assert.deepEqual([...new Set(sessions.map(kindOf))].sort(), KINDS);

  const kept = await sampled.finish(here);
  assertAll(kept, (session) => session.has(FLAG.SAMPLED) && isSampled(session, ratio));
  const joinable = (session: Session) => session.joinable;
  const wanted = sessions.filter((session) => session.joinable && isSampled(session, ratio));
  assert.deepEqual(keysOf(kept.filter(joinable)), keysOf(wanted));
  // the other ids contain the capture's own times: some are kept, and some are not
  for (const kind of KINDS) {
    const count = kept.filter((session) => kindOf(session) === kind).length;
    const most = sessions.filter((session) => kindOf(session) === kind).length;
    assert.ok(count > 0 && count < most, `${count} of ${most} ${kind}`);
  }

  const found = await withErrors.finish(here);
  const failed = (session: Session) => endingOf(session).error !== undefined;
  assertAll(found, (session) => session.has(FLAG.SAMPLED) === isSampled(session, ratio));
  assert.deepEqual(keysOf(found.filter(failed)), keysOf(sessions.filter(failed)));
  assertAll(found, (session) => failed(session) || session.has(FLAG.SAMPLED));
  const ordinary = (session: Session) => session.joinable && !failed(session);
  assert.deepEqual(
    keysOf(found.filter(ordinary)),
    keysOf(wanted.filter((session) => !failed(session))),
  );
});

Deno.test("interim reports are sampled like the session's last record", async () => {
  const ratio = 0.5;
  await using namespace = await Namespace.make();
  await namespace.ip("link", "set", "lo", "up");
  await using kinds = await Kinds.prepare(20, namespace.under);
  const sampling = { ratio, key: KEY };
  await using trace = await Trace.start({ interim: 100, sampling });
  const here = (session: Session) => session.netns === namespace.inode;
  await trace.until(10, (session) => here(session) && session.interim === 3);
  await kinds.make();
  await kinds.close();
  await new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
  const kept = await trace.finish(here);
  assertAll(kept, (session) => session.has(FLAG.SAMPLED) && isSampled(session, ratio));
  // a session that nobody has accepted is in no process's files, where reports come from
  const older = kept.filter(({ startObserved, localPort }) =>
    !startObserved && localPort !== kinds.fullPort
  );
  const reported = new Set(keysOf(older.filter(({ interim }) => interim > 0)));
  const ended = keysOf(older.filter(({ interim }) => interim === 0));
  assert.ok(reported.size > 0);
  assert.deepEqual(ended, [...reported].sort());
});

Deno.test("the last reports of open sessions are sampled, and those left out are counted once", async () => {
  await using namespace = await Namespace.make();
  await namespace.ip("link", "set", "lo", "up");
  const each = 20;
  await using _kinds = await Kinds.prepare(each, namespace.under);
  const includeCidrs = [Kinds.peer];
  await using trace = await Trace.start({
    reportOpenOnExit: true,
    includeCidrs,
    sampling: { ratio: 0.5, key: KEY },
  });
  await using all = await Trace.start({ reportOpenOnExit: true, includeCidrs });
  const here = (session: Session) => session.netns === namespace.inode;
  const kept = await trace.finish(here);
  const sessions = await all.finish(here);
  assert.equal(sessions.length, each + 1); // clients' ends
  assert.deepEqual(keysOf(kept), keysOf(sessions.filter((session) => isSampled(session, 0.5))));
  assert.equal(kept.length + trace.sampledOut, sessions.length);
});

// Softirqs interrupt the kernel program here: some sessions are reported by the backstop.
Deno.test("sampling decides alike if the event of the end was missed", async () => {
  const ratio = 0.5;
  await using namespace = await Namespace.make();
  await namespace.steerLoopback();
  await using burst = await Burst.prepare(
    { clients: 4, threads: 2, sessions: 1000 },
    namespace.under,
  );
  await using trace = await Trace.start({ sampling: { ratio, key: KEY } });
  await burst.run();
  await new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
  const kept = await trace.finish(hasPort(burst.port));
  assertAll(kept, (session) => isSampled(session, ratio));
  assert.ok(
    kept.some((session) => session.has(FLAG.BACKSTOP)),
    "no session was reported by the backstop: this tests nothing",
  );
});

/** Reports of sessions that are still open. */
import { strict as assert } from "node:assert";
import { capture } from "./capture.ts";
import type { Session } from "../../src/session/session.ts";
import { hasPort } from "./harness.ts";
import { assertOwner } from "./owner.ts";
import { Scene } from "./scene.ts";

const INTERVAL_MS = 300;

/** The reports and the last record of the end with `port`, in order of arrival. */
function ofServer(sessions: readonly Session[], port: number): Session[] {
  return sessions.filter(({ localPort }) => localPort === port);
}

Deno.test("interim reports show what both ends have carried so far, under the same sequence numbers", async () => {
  await using scene = await Scene.open({ capture: () => ({ interim: INTERVAL_MS }) });
  const { client, server, port, trace } = scene;
  await scene.connect();
  await scene.exchange(1000, 0);
  await trace.until(2, (end) => end.interim === 1 && hasPort(port)(end));
  await scene.exchange(0, 2000);
  await trace.until(2, (end) => end.interim === 2 && hasPort(port)(end));
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  await trace.until(2, (end) => end.interim === 0 && hasPort(port)(end));
  const all = await trace.finish(hasPort(port));
  const reports = ofServer(all, port);
  assert.deepEqual(reports.map(({ interim }) => interim), [1, 2, 0]);
  assert.deepEqual(reports.map(({ rxBytes, txBytes }) => [rxBytes, txBytes]), [
    [1000, 0],
    [1000, 2000],
    [1000, 2000],
  ]);
  assert.deepEqual(reports.map(({ lastState }) => lastState), [
    "established",
    "established",
    "last_ack",
  ]);
  const [first, , end] = reports;
  assert.ok(first !== undefined && end !== undefined);
  for (const report of reports) {
    assertOwner(report, server.process);
    assert.equal(report.startUnixNs, end.startUnixNs);
    assert.deepEqual(report.initialSequenceNumbers, end.initialSequenceNumbers);
  }
  assert.ok(first.durationUs >= INTERVAL_MS * 1000, `reported after ${first.durationUs} µs`);
  assert.equal(all.filter(({ peerPort }) => peerPort === port).length, 3);
});

Deno.test("interim reports are an interval apart", async () => {
  await using scene = await Scene.open({ capture: () => ({ interim: INTERVAL_MS }) });
  await scene.connect();
  await scene.trace.until(2, (end) => end.interim === 5 && hasPort(scene.port)(end));
  const times = ofServer(await scene.trace.finish(hasPort(scene.port)), scene.port)
    .map(({ endUnixNs }) => Number(endUnixNs) / 1e6);
  const [first = 0, fifth = 0] = [times[0], times[4]];
  const intervals = (fifth - first) / INTERVAL_MS;
  assert.ok(intervals > 3.5 && intervals < 7, `${intervals} intervals`); // 8 if half are left out
});

Deno.test("a session shorter than the interval has no interim report", async () => {
  await using scene = await Scene.open({ capture: () => ({ interim: 60_000 }) });
  await scene.connect();
  await scene.client.close("s");
  await scene.server.close("s");
  const { client, server } = await scene.trace.pair(scene.port);
  assert.deepEqual([client.interim, server.interim], [0, 0]);
});

Deno.test("interim reports obey the filters", async () => {
  await using scene = await Scene.open({
    capture: (port) => ({ interim: INTERVAL_MS, remotePorts: [port] }),
  });
  await scene.connect();
  await scene.trace.until(1, hasPort(scene.port));
  const reports = await scene.trace.finish(hasPort(scene.port));
  assert.ok(reports.length > 0 && reports.every(({ peerPort }) => peerPort === scene.port));
});

Deno.test("interim reports of a session that keeps sending agree on its sequence numbers", async () => {
  await using scene = await Scene.open({ capture: () => ({ interim: 100 }) });
  const { client, server, port, trace } = scene;
  await scene.connect();
  const bytes = 2 ** 31;
  await Promise.all([client.send("s", bytes), server.receive("s", bytes)]);
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  await trace.until(2, (end) => end.interim === 0 && hasPort(port)(end));
  const reports = ofServer(await trace.finish(hasPort(port)), port);
  const end = reports.at(-1);
  assert.ok(end !== undefined && reports.length > 2, `${reports.length} reports`);
  assert.equal(end.rxBytes, bytes);
  for (const report of reports) {
    assert.deepEqual(report.initialSequenceNumbers, end.initialSequenceNumbers);
  }
});

Deno.test("reportOpenOnExit reports each end of an open session once, when the capture stops", async () => {
  await using scene = await Scene.open({ capture: () => ({ reportOpenOnExit: true }) });
  await scene.connect();
  await scene.exchange(10, 20);
  const reports = await scene.trace.finish(hasPort(scene.port));
  assert.deepEqual(
    reports.map(({ role, interim, txBytes, rxBytes }) => ({ role, interim, txBytes, rxBytes }))
      .sort((a, b) => a.role < b.role ? -1 : 1),
    [
      { role: "active", interim: 1, txBytes: 10, rxBytes: 20 },
      { role: "passive", interim: 1, txBytes: 20, rxBytes: 10 },
    ],
  );
});

Deno.test("a capture in a hurry stops reporting open sessions", async () => {
  const SESSIONS = 700; // more than a walk reports before the ring is read
  for (const inAHurry of [false, true]) {
    using ends = new DisposableStack();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await using sessions = await capture({
      reportOpenOnExit: true,
      remotePorts: [listener.addr.port],
    });
    for (let i = 0; i < SESSIONS; i++) {
      ends.use(await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }));
      ends.use(await listener.accept());
    }
    sessions.stop();
    let reported = 0;
    for await (using batch of sessions) {
      reported += batch.length;
      if (inAHurry) sessions.hurry();
    }
    if (inAHurry) assert.ok(reported > 0 && reported < SESSIONS, `${reported} reports`);
    else assert.equal(reported, SESSIONS);
  }
});

Deno.test("without reportOpenOnExit an open session is not reported", async () => {
  await using scene = await Scene.open();
  await scene.connect();
  assert.deepEqual(await scene.trace.finish(hasPort(scene.port)), []);
});

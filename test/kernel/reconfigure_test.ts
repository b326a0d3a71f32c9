/** A capture that continues with other options: nothing is lost, and nothing comes twice. */
import { strict as assert } from "node:assert";
import { setTimeout as delay } from "node:timers/promises";
import { capture } from "./capture.ts";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import { HostError } from "../../src/messages/errors.ts";
import { FLAG } from "../../src/session/record_layout.ts";
import { Burst } from "./burst.ts";
import { descriptors, mappings } from "./descriptors.ts";
import { hasPort, Trace } from "./harness.ts";
import { Scene } from "./scene.ts";

const SMALL = { clients: 2, threads: 1, sessions: 10 };

Deno.test("reconfigure() applies other filters", async () => {
  await using trace = await Trace.start({ remotePorts: [1] });
  await using one = await Burst.prepare(SMALL);
  await one.run();
  await trace.reconfigure({});
  await using other = await Burst.prepare(SMALL);
  const { length } = await other.run();
  await trace.until(length, hasPort(other.port));
  const sessions = await trace.finish((session) =>
    hasPort(one.port)(session) || hasPort(other.port)(session)
  );
  assert.equal(sessions.length, length);
  assert.ok(sessions.every(hasPort(other.port)));
});

Deno.test("a session that is open during a change keeps its start and its owner", async () => {
  await using scene = await Scene.open();
  const { client, server, port, trace } = scene;
  await scene.connect();
  await scene.exchange(10, 20);
  await trace.reconfigure({});
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
  const ends = await trace.pair(port);
  assert.ok(ends.client.has(FLAG.START_OBSERVED) && ends.server.has(FLAG.START_OBSERVED));
  assert.deepEqual([ends.client.txBytes, ends.client.rxBytes], [10, 20]);
  assert.deepEqual(
    [ends.client.pid, ends.client.ownerSource, ends.server.pid, ends.server.ownerSource],
    [client.process.pid, "connect", server.process.pid, "recv"],
  );
});

const UNDER_LOAD: Record<string, (round: number) => CaptureOptions> = {
  "the same options": () => ({}),
  "other filters": (round) => ({ minDuration: 0, excludeExecutables: [`no-such-${round}`] }),
  "a ring of another size": (round) => ({ ringBuffer: 2 ** (23 + round % 2) }),
};

for (const [name, options] of Object.entries(UNDER_LOAD)) {
  Deno.test(`reconfigure() several times under load, with ${name}: each end is delivered once`, async () => {
    await using burst = await Burst.prepare({ clients: 2, threads: 2, sessions: 1500 });
    await using trace = await Trace.start();
    const running = burst.run();
    for (let round = 0; round < 4; round++) await trace.reconfigure(options(round));
    const truth = await running;
    const sessions = await trace.take(truth.length, hasPort(burst.port));
    assert.deepEqual(
      sessions.map(({ cookie }) => `${cookie}`).sort(),
      truth.map(({ cookie }) => cookie).sort(),
    );
    const { ringFull, unseen } = trace.losses();
    assert.equal(ringFull, 0);
    assert.ok(unseen <= 8, `one for each CPU and round at most, not ${unseen}`);
  });
}

Deno.test("reports that are due when they are switched off do not come any more", async () => {
  await using trace = await Trace.start({ interim: 1 }); // due all the time
  for (let round = 0; round < 3; round++) {
    await trace.reconfigure({});
    await trace.reconfigure({ interim: 1 });
  }
  await trace.reconfigure({});
  await using burst = await Burst.prepare(SMALL);
  const { length } = await burst.run();
  await trace.take(length, hasPort(burst.port));
});

Deno.test("several changes at once are all applied, and the last one stays", async () => {
  await using trace = await Trace.start();
  await Promise.all(
    [{ remotePorts: [1] }, { minBytes: 1e9 }, {}].map((options) => trace.reconfigure(options)),
  );
  await using burst = await Burst.prepare(SMALL);
  const { length } = await burst.run();
  await trace.take(length, hasPort(burst.port));
});

Deno.test("a change that is under way when the capture ends leaves nothing attached", async () => {
  await using _warmUp = await capture();
  const before = { descriptors: descriptors(), mappings: mappings("bpf-map") };
  for (let i = 0; i < 5; i++) {
    const sessions = await capture();
    const reading = (async () => {
      for await (const _batch of sessions);
    })();
    const changing = sessions.reconfigure({}).catch(() => {});
    await delay(i); // so that it is under way
    await sessions[Symbol.asyncDispose]();
    await Promise.all([reading, changing]);
  }
  assert.deepEqual({ descriptors: descriptors(), mappings: mappings("bpf-map") }, before);
});

Deno.test("impossible options are refused, and the options before them stay", async () => {
  await using trace = await Trace.start();
  await assert.rejects(trace.reconfigure({ ringBuffer: 0 }), HostError);
  await using burst = await Burst.prepare(SMALL);
  const { length } = await burst.run();
  await trace.take(length, hasPort(burst.port));
});

Deno.test("a capture that ends refuses options that it has not applied yet", async () => {
  const sessions = await capture();
  const refused = assert.rejects(sessions.reconfigure({}), HostError);
  await sessions[Symbol.asyncDispose]();
  await refused;
});

Deno.test("reconfigure() closes everything from before", async () => {
  await using trace = await Trace.start({ interim: 1000, reportOpenOnExit: true });
  await trace.reconfigure({});
  const before = { descriptors: descriptors(), mappings: mappings("bpf-map") };
  for (let round = 0; round < 3; round++) {
    await trace.reconfigure({ ringBuffer: 2 ** (20 + round % 2), interim: 1000 });
  }
  await trace.reconfigure({});
  const open = () => ({ descriptors: descriptors(), mappings: mappings("bpf-map") });
  for (let i = 0; i < 100 && open().mappings > before.mappings; i++) await delay(10); // old ring is read
  assert.deepEqual(open(), before);
});

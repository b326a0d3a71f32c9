/** The controls of volume: each lets something through, and blocks something. */
import { strict as assert } from "node:assert";
import { basename } from "node:path";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import { PYTHON } from "../python.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { Actor } from "./actor.ts";
import { Burst } from "./burst.ts";
import { hasPort, Trace } from "./harness.ts";
import { Cgroup } from "./host.ts";

const LOOPBACK = { family: "ipv4", address: "127.0.0.1" } as const;

interface Stage {
  readonly client: Actor;
  readonly server: Actor;
  readonly port: number;
}

/** A session with `bytes` bytes of payload each way. */
async function session({ client, server, port }: Stage, bytes: number, ms = 0): Promise<void> {
  await Promise.all([client.connect("s", { ...LOOPBACK, port }), server.accept("l", "s")]);
  await client.send("s", bytes);
  await server.receive("s", bytes);
  await server.send("s", bytes);
  await client.receive("s", bytes);
  await new Promise((resolve) => setTimeout(resolve, ms));
  await client.close("s");
  await server.receiveFin("s");
  await server.close("s");
}

/** Roles and payload of the sessions from `play` that `options` let through. */
async function rolesOf(
  stage: Stage,
  options: CaptureOptions,
  play: () => Promise<void>,
  ends: number,
): Promise<string[]> {
  await using trace = await Trace.start(options);
  await using all = await Trace.start(); // shows when the other one must have seen its part
  await play();
  await all.take(ends, hasPort(stage.port));
  const found = await trace.finish(hasPort(stage.port));
  return found.map(({ role, txBytes }) => `${role} ${txBytes}`).sort();
}

Deno.test("excludeExecutables leaves out ends by the whole names of their executables", async () => {
  await using folder = await makeTempFolder();
  const program = `${folder.path}/tcpspan-excluded`;
  await Deno.copyFile(await Deno.realPath(PYTHON[0]), program);
  await Deno.chmod(program, 0o755);
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  const stage = { client, server, port };
  await client.execute(program, "other-comm");
  const play = () => session(stage, 1);
  for (
    const [names, expected] of [
      [["x", "tcpspan-excluded"], ["passive 1"]],
      [["tcpspan", "tcpspan-excluded2", "other-comm"], ["active 1", "passive 1"]],
    ] as const
  ) {
    assert.deepEqual(await rolesOf(stage, { excludeExecutables: names }, play, 2), expected);
  }
});

Deno.test("excludeCgroups leaves out the processes of a cgroup and of the cgroups below it", async () => {
  using above = new Cgroup();
  using other = new Cgroup();
  const below = `${above.path}/below`;
  Deno.mkdirSync(below);
  using _below = { [Symbol.dispose]: () => Deno.removeSync(below) };
  await using client = await Actor.start({ cgroup: below });
  await using server = await Actor.start({ cgroup: other.path });
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  const stage = { client, server, port };
  const paths = (path: string) => ({ excludeCgroups: [`/${path}`] });
  const play = () => session(stage, 1);
  const name = basename(above.path);
  for (
    const [path, expected] of [
      [name, ["passive 1"]],
      [`${name}/below`, ["passive 1"]],
      [basename(other.path), ["active 1"]],
      [`${name}/below/it`, ["active 1", "passive 1"]],
    ] as const
  ) {
    assert.deepEqual(await rolesOf(stage, paths(path), play, 2), expected, path);
  }
});

Deno.test("minBytes counts the payload of both directions together, without SYN and FIN", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  const stage = { client, server, port };
  const play = async () => {
    await session(stage, 49);
    await session(stage, 50);
  };
  assert.deepEqual(await rolesOf(stage, { minBytes: 100 }, play, 4), ["active 50", "passive 50"]);
  assert.deepEqual(await rolesOf(stage, { minBytes: 101 }, play, 4), []);
});

Deno.test("minDuration leaves out shorter sessions", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  const stage = { client, server, port };
  const play = async () => {
    await session(stage, 1);
    await session(stage, 2, 1000);
  };
  const found = await rolesOf(stage, { minDuration: 1000 }, play, 4);
  assert.deepEqual(found, ["active 2", "passive 2"]);
});

for (const options of [{ minBytes: 1000 }, { minDuration: 60_000 }]) {
  Deno.test(`sessions below ${JSON.stringify(options)} take no room in the ring`, async () => {
    const begin = Promise.withResolvers<void>();
    await using burst = await Burst.prepare({ clients: 4, threads: 2, sessions: 250 });
    await using trace = await Trace.start({
      ...options,
      ringBuffer: 256 * 1024, // room for some 880
      localPorts: [burst.port],
      reading: begin.promise,
    });
    await burst.run();
    begin.resolve();
    assert.deepEqual(await trace.finish(hasPort(burst.port)), []);
    assert.equal(trace.losses().ringFull, 0);
  });
}

Deno.test("interim reports obey minDuration", async () => {
  await using client = await Actor.start();
  await using server = await Actor.start();
  const port = await server.listen("l", "ipv4", LOOPBACK.address);
  await using trace = await Trace.start({ interim: 100, minDuration: 500 });
  await session({ client, server, port }, 1, 800);
  await trace.until(2, (end) => hasPort(port)(end) && end.interim === 0);
  const reports = await trace.finish((end) => hasPort(port)(end) && end.interim > 0);
  assert.ok(reports.length > 0 && reports.every(({ durationUs }) => durationUs >= 500_000));
});

Deno.test("maxSessionsPerSecond caps, and losses() counts the excess", async () => {
  const cap = 100;
  await using burst = await Burst.prepare({ clients: 4, threads: 2, sessions: 250 });
  await using trace = await Trace.start({
    maxSessionsPerSecond: cap,
    localPorts: [burst.port],
  });
  const began = performance.now();
  const ends = (await burst.run()).length / 2;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const seconds = Math.ceil((performance.now() - began) / 1000);
  const { length } = await trace.finish(hasPort(burst.port));
  assert.equal(length + trace.losses().overCap, ends);
  const race = navigator.hardwareConcurrency; // so many CPUs may count at the same time
  assert.ok(length >= cap && length <= seconds * (cap + race), `${length} in ${seconds} s`);
});

Deno.test("a cap that is not reached leaves nothing out", async () => {
  await using burst = await Burst.prepare({ clients: 1, threads: 1, sessions: 20 });
  await using trace = await Trace.start({ maxSessionsPerSecond: 1000, localPorts: [burst.port] });
  await burst.run();
  await trace.take(20, hasPort(burst.port));
  assert.equal(trace.losses().overCap, 0);
});

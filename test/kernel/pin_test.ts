/** Programs and ring that stay in the kernel while no tracer runs. */
import { strict as assert } from "node:assert";
import { HashMap } from "../../ffi/hash_map.ts";
import { lookUp, mapInfo } from "../../ffi/map.ts";
import { pin, Pinned } from "../../ffi/pinned.ts";
import { libbpf } from "../../ffi/libbpf.ts";
import { capture } from "./capture.ts";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import { unpin } from "../../src/capture/pin/unpin.ts";
import { HostError, UsageError } from "../../src/messages/errors.ts";
import { BSS, FLAG, RECORD_DESCRIPTION, STATE_ID } from "../../src/session/record_layout.ts";
import type { Session } from "../../src/session/session.ts";
import { Actor } from "./actor.ts";
import { BpfFileSystem } from "./bpf_file_system.ts";
import { Burst } from "./burst.ts";
import { descriptors, mappings } from "./descriptors.ts";
import { hasPort, Trace } from "./harness.ts";

const RING_SIZE = 2 ** 20;
const SMALL = { clients: 2, threads: 1, sessions: 10 };
const HOOKS = 5;

Deno.test("sessions that end while no tracer runs are delivered by the next", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { port, ends } = await makeSessions();
  await using trace = await Trace.start(place.options);
  const sessions = await trace.take(ends, hasPort(port));
  assert.ok(sessions.every((session) => session.has(FLAG.START_OBSERVED)));
  assert.equal(new Set(sessions.map(({ cookie }) => cookie)).size, ends);
});

Deno.test("a session that stays open from one tracer to the next keeps its start, its times and its owner", async () => {
  await using place = await pinFolder();
  await using client = await Actor.start({ comm: "test-client" });
  await using server = await Actor.start({ comm: "test-server" });
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  const first = await Trace.start(place.options);
  await Promise.all([
    client.connect("s", { family: "ipv4", address: "127.0.0.1", port }),
    server.accept("l", "s"),
  ]);
  await first[Symbol.asyncDispose]();
  await using second = await Trace.start(place.options);
  await client.close("s");
  await server.close("s");
  const ends = await second.pair(port);
  for (const end of Object.values(ends)) {
    assert.ok(end.has(FLAG.START_OBSERVED));
    assert.ok(end.establishedUnixNs !== undefined);
    assert.ok(end.startBootNs < second.began.before_ns, "before the second tracer was there");
  }
  assert.equal(ends.client.pid, client.process.pid);
  assert.equal(ends.client.ownerSource, "connect");
});

Deno.test("what was handed on, but not released, is delivered again", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { port, ends } = await makeSessions();
  const first = await capture(place.options);
  const handedOn: bigint[] = [];
  for await (const batch of first) { // ends before the first batch is released
    handedOn.push(...[...batch].filter(hasPort(port)).map(({ cookie }) => cookie));
    break;
  }
  await first[Symbol.asyncDispose]();
  assert.ok(handedOn.length > 0);
  await using second = await Trace.start(place.options);
  const again = (await second.take(ends, hasPort(port))).map(({ cookie }) => cookie);
  assert.ok(handedOn.every((cookie) => again.includes(cookie)));
});

Deno.test("once the next batch was asked for, the one before it is not delivered again", async () => {
  await using place = await pinFolder();
  const first = await Trace.start(place.options);
  const { port, ends } = await makeSessions();
  await first.take(ends, hasPort(port));
  await first[Symbol.asyncDispose]();
  await using second = await Trace.start(place.options);
  assert.deepEqual(await second.finish(hasPort(port)), []);
});

Deno.test("the next tracer's filters apply from its start on", async () => {
  await using place = await pinFolder();
  await (await capture({ ...place.options, remotePorts: [1] }))[Symbol.asyncDispose]();
  const { port: filtered } = await makeSessions();
  await using trace = await Trace.start(place.options);
  const { port, ends } = await makeSessions();
  await trace.until(ends, hasPort(port));
  const all = await trace.finish((session) => hasPort(port)(session) || hasPort(filtered)(session));
  assert.equal(all.length, ends);
  assert.ok(all.every(hasPort(port)));
});

Deno.test("a second tracer on the same pin is refused, and the first continues", async () => {
  await using place = await pinFolder();
  await using trace = await Trace.start(place.options);
  const inUse = {
    name: "HostError",
    message: `cannot pin to ${place.folder}: another tcpspan uses it: stop that one first`,
  };
  await assert.rejects(capture(place.options), inUse);
  assert.throws(() => unpin(place.folder), HostError);
  const { port, ends } = await makeSessions();
  await trace.take(ends, hasPort(port));
});

Deno.test("a ring of another size: what is in the old ring is delivered, and then the old ring is removed", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { port, ends } = await makeSessions();
  const ringBuffer = 2 * RING_SIZE;
  await using trace = await Trace.start({ ...place.options, ringBuffer });
  const more = await makeSessions();
  const isOne = (session: Session) => hasPort(port)(session) || hasPort(more.port)(session);
  await trace.take(ends + more.ends, isOne);
  const rings = BpfFileSystem.list(place.folder).filter((path) => /\/ring-/.test(path));
  assert.deepEqual(rings, [`${STATE_ID}/ring-${ringBuffer}`]);
});

Deno.test("a tracer of another version leaves its ring: records are read as it described them", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { port, ends } = await makeSessions();
  // in that version's records the ports are swapped, and its counters are elsewhere
  describeAs(
    `${place.folder}/${STATE_ID}/description`,
    `${
      RECORD_DESCRIPTION.replace(/local_port:(\d+)/, "peer_port_:$1")
        .replace(/ peer_port:(\d+)/, " local_port:$1").replace("peer_port_:", "peer_port:")
    }\nlost_ring_full:${BSS.tracing_since_ns}:8`,
  );
  await Deno.rename(`${place.folder}/${STATE_ID}`, `${place.folder}/0123456789abcdef`);
  await using trace = await Trace.start(place.options);
  const old = (await trace.take(ends, hasPort(port))).filter(({ role }) => role === "active");
  assert.equal(old.length, ends / 2);
  assert.ok(
    old.every(({ localPort }) => localPort === port),
    "the client's, if not exchanged, is another",
  );
  assert.deepEqual(folders(place.folder), [STATE_ID]);
  assert.ok(trace.losses().ringFull > 2 ** 30, "what the other version had lost is counted on");
});

Deno.test("while a tracer of another version is replaced no session is lost", async () => {
  await using place = await pinFolder(2 ** 24);
  await (await capture(place.options))[Symbol.asyncDispose]();
  await Deno.rename(`${place.folder}/${STATE_ID}`, `${place.folder}/0123456789abcdef`);
  await using burst = await Burst.prepare({ clients: 2, threads: 2, sessions: 500 });
  const running = burst.run();
  await using trace = await Trace.start(place.options);
  const truth = await running;
  const isOne = hasPort(burst.port);
  await trace.until(truth.length, isOne);
  const cookies = new Set((await trace.finish(isOne)).map(({ cookie }) => `${cookie}`));
  assert.deepEqual(truth.filter(({ cookie }) => !cookies.has(cookie)), []);
});

Deno.test("a report that waits for its socket's close is taken over from a tracer of another version", async () => {
  await using place = await pinFolder();
  await using client = await Actor.start();
  await using server = await Actor.start();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const port = await resetUnused(client, server);
  await Deno.rename(`${place.folder}/${STATE_ID}`, `${place.folder}/0123456789abcdef`);
  await using trace = await Trace.start(place.options);
  await trace.pair(port);
});

Deno.test("a report that waited and was handed on, but not released, is delivered again", async () => {
  await using place = await pinFolder();
  await using client = await Actor.start();
  await using server = await Actor.start();
  const first = await capture(place.options);
  const port = await resetUnused(client, server);
  let handedOn = 0;
  for await (const batch of first) { // ends before the report is released
    handedOn += [...batch].filter(({ localPort }) => localPort === port).length;
    if (handedOn > 0) break;
  }
  await first[Symbol.asyncDispose]();
  assert.equal(handedOn, 1);
  await using second = await Trace.start(place.options);
  await second.until(1, ({ localPort }) => localPort === port);
  const again = await second.finish(({ localPort }) => localPort === port);
  assert.equal(again.length, 1);
});

Deno.test("a report that a crash left in two places is delivered once", async () => {
  await using place = await pinFolder();
  await using client = await Actor.start();
  await using server = await Actor.start();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const port = await resetUnused(client, server);
  using pinned = new Pinned(`${place.folder}/${STATE_ID}/waiting`);
  const waiting = new HashMap(pinned.fd);
  for (const { count, keys, values } of [...waiting.entries()]) {
    for (let i = 0; i < count; i++) {
      const taken = keys.slice(8 * i, 8 * i + 8);
      taken[7] = 0x40; // as while a reader hands it on
      assert.ok(
        waiting.add(taken, values.slice(i * waiting.valueSize, (i + 1) * waiting.valueSize)),
      );
    }
  }
  await using trace = await Trace.start(place.options);
  await trace.until(1, ({ localPort }) => localPort === port);
  await new Promise((resolve) => setTimeout(resolve, 2200)); // until waiting reports are delivered
  const ends = await trace.finish(({ localPort }) => localPort === port);
  assert.equal(ends.length, 1);
});

Deno.test("a report that is just being written is not read, whichever way its cookie counts", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  using pinned = new Pinned(`${place.folder}/${STATE_ID}/waiting`);
  const waiting = new HashMap(pinned.fd);
  const unwritten = new Uint8Array(waiting.valueSize);
  for (const cookie of [2n ** 50n, 2n ** 64n - 1n]) { // in interrupts they count down
    waiting.add(new Uint8Array(BigUint64Array.of(cookie).buffer), unwritten);
  }
  await using trace = await Trace.start(place.options);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual(await trace.finish(({ cookie }) => cookie === 0n), []);
});

Deno.test("if too many reports wait, the next is delivered at once", async () => {
  await using place = await pinFolder();
  await using client = await Actor.start();
  await using server = await Actor.start();
  await using trace = await Trace.start(place.options);
  using pinned = new Pinned(`${place.folder}/${STATE_ID}/waiting`);
  const waiting = new HashMap(pinned.fd);
  const { maxEntries, valueSize } = mapInfo(pinned.fd);
  const unwritten = new Uint8Array(valueSize);
  for (let key = 1n; key <= maxEntries; key++) { // cookies that no socket of this test has
    waiting.add(new Uint8Array(BigUint64Array.of(2n ** 40n + key).buffer), unwritten);
  }
  const port = await resetUnused(client, server);
  const began = performance.now();
  await trace.until(1, ({ localPort }) => localPort === port);
  const waited = performance.now() - began;
  const ends = await trace.finish(hasPort(port));
  assert.deepEqual(ends.map(({ role }) => role).sort(), ["active", "passive"]);
  assert.ok(waited < 900, `after ${waited} ms, as if it had waited`);
});

Deno.test("a start that was cut short leaves links behind: the next start removes them", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  using link = new Pinned(`${place.folder}/${STATE_ID}/set_state-1`);
  pin(link.fd, `${place.folder}/${STATE_ID}/set_state-2`); // the name of the next generation
  await using trace = await Trace.start(place.options);
  const { port, ends } = await makeSessions();
  await trace.take(ends, hasPort(port));
  const links = BpfFileSystem.list(place.folder).filter((path) => /set_state/.test(path));
  assert.deepEqual(links, [`${STATE_ID}/set_state-2`]);
});

Deno.test("after a start that was cut short before all maps were pinned, the next starts from scratch", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  await Deno.remove(`${place.folder}/${STATE_ID}/bss`);
  await using trace = await Trace.start(place.options);
  const { port, ends } = await makeSessions();
  await trace.take(ends, hasPort(port));
});

Deno.test("what a tracer of another version has not removed does not prevent the next start", async () => {
  await using place = await pinFolder();
  await Deno.mkdir(place.folder);
  await Deno.mkdir(`${place.folder}/0123456789abcdef`); // all but the folder itself
  await using trace = await Trace.start(place.options);
  const { port, ends } = await makeSessions();
  await trace.take(ends, hasPort(port));
  assert.deepEqual(folders(place.folder), [STATE_ID]);
});

Deno.test("a ring whose description is unknown is refused before anything is attached, and unpin() helps", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  describeAs(`${place.folder}/${STATE_ID}/description`, "something else");
  await Deno.rename(`${place.folder}/${STATE_ID}`, `${place.folder}/0123456789abcdef`);
  await assert.rejects(capture(place.options), {
    name: "HostError",
    message: `cannot read what an earlier tcpspan left in ${place.folder}/0123456789abcdef: its ` +
      "records have an unknown layout; remove it: tcpspan unpin",
  });
  assert.deepEqual(folders(place.folder), ["0123456789abcdef"]);
  const unpinned = unpin(place.folder);
  assert.deepEqual([unpinned?.programs, unpinned?.unread], [HOOKS, 0]);
});

Deno.test("a folder that another user can write to is refused", async () => {
  await using system = await BpfFileSystem.mount();
  const pin = `${system.path}/tcpspan`;
  const refused = {
    name: "UsageError",
    message:
      `cannot pin to ${pin}: it is not a folder that only this user can write to: remove it, ` +
      "or name another",
  };
  await Deno.mkdir(pin, { mode: 0o700 });
  await Deno.chown(pin, 65534, 65534);
  await assert.rejects(capture({ pin }), refused);
  await Deno.chown(pin, 0, 0);
  await Deno.chmod(pin, 0o777);
  await assert.rejects(capture({ pin }), refused);
  await Deno.remove(pin);
  await Deno.symlink("/tmp", pin);
  await assert.rejects(capture({ pin }), UsageError);
});

Deno.test("losses() also counts what the ring had no room for while no tracer ran", async () => {
  await using place = await pinFolder(2 ** 18);
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { port, ends } = await makeSessions({ clients: 2, threads: 2, sessions: 300 });
  await using trace = await Trace.start(place.options);
  await trace.until(1, hasPort(port));
  const kept = await trace.finish(() => true); // also other traffic, which shares the ring
  const { ringFull } = trace.losses();
  assert.ok(ringFull > 0);
  assert.ok(kept.length + ringFull >= ends);
});

Deno.test("unpin() reports what the ring had no room for", async () => {
  await using place = await pinFolder(2 ** 18);
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { ends } = await makeSessions({ clients: 2, threads: 2, sessions: 300 });
  const unpinned = unpin(place.folder);
  const ringFull = unpinned?.losses.get("ring_full") ?? 0;
  assert.ok(ringFull > 0);
  assert.ok((unpinned?.unread ?? 0) + ringFull >= ends);
});

Deno.test("unpin() detaches everything, and reports what nobody has read", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const { ends } = await makeSessions();
  const unpinned = unpin(place.folder);
  assert.equal(unpinned?.programs, HOOKS);
  assert.ok(unpinned.unread >= ends);
  assert.throws(() => Deno.statSync(place.folder), Deno.errors.NotFound);
  assert.equal(unpin(place.folder), undefined, "a second time there is nothing");
});

Deno.test("unpin() removes nothing if something else is pinned there too", async () => {
  await using place = await pinFolder();
  await (await capture(place.options))[Symbol.asyncDispose]();
  const parent = place.folder.replace(/\/tcpspan$/, "");
  assert.throws(() => unpin(parent), {
    name: "UsageError",
    message: `cannot unpin ${parent}: it holds what is not tcpspan's, such as tcpspan: name the ` +
      "folder of capture.pin",
  });
  await using trace = await Trace.start(place.options);
  const { port, ends } = await makeSessions();
  await trace.take(ends, hasPort(port));
});

Deno.test("a folder that is not in a BPF file system is refused, and says what to do", async () => {
  const folder = await Deno.makeTempDir();
  const message = (path: string) =>
    `cannot pin to ${path}: it is not in a BPF file system: name a folder in one, or mount one: ` +
    "mount -t bpf bpf /sys/fs/bpf";
  for (const path of [folder, `${folder}/tcpspan`]) {
    await assert.rejects(capture({ pin: path }), { name: "UsageError", message: message(path) });
  }
  await assert.rejects(capture({ pin: `${folder}/no/folder` }), UsageError);
  assert.throws(() => unpin(folder), UsageError);
  await Deno.remove(folder);
});

Deno.test("a capture with a pin closes everything that it opened", async () => {
  await using place = await pinFolder();
  const open = async () => {
    await using _capture = await capture(place.options);
  };
  await open();
  const before = { descriptors: descriptors(), mappings: mappings("bpf-map") };
  for (let i = 0; i < 3; i++) await open();
  assert.deepEqual({ descriptors: descriptors(), mappings: mappings("bpf-map") }, before);
});

/** A session whose accepted end is open but unused: only its close would show who has it. */
async function resetUnused(client: Actor, server: Actor): Promise<number> {
  const port = await server.listen("l", "ipv4", "127.0.0.1");
  await Promise.all([
    client.connect("s", { family: "ipv4", address: "127.0.0.1", port }),
    server.accept("l", "s"),
  ]);
  await client.abort("s");
  return port;
}

interface Place extends AsyncDisposable {
  readonly folder: string;
  readonly options: CaptureOptions;
}

/** A folder to pin to; disposing unpins. */
async function pinFolder(ringBuffer = RING_SIZE): Promise<Place> {
  const system = await BpfFileSystem.mount();
  const folder = `${system.path}/tcpspan`;
  return {
    folder,
    options: { pin: folder, ringBuffer },
    async [Symbol.asyncDispose]() {
      unpin(folder);
      await system[Symbol.asyncDispose]();
    },
  };
}

/** Makes sessions and ends them. @returns the port of their listener, and the number of ends */
async function makeSessions(size = SMALL): Promise<{ port: number; ends: number }> {
  await using burst = await Burst.prepare(size);
  const ends = await burst.run();
  return { port: burst.port, ends: ends.length };
}

function describeAs(path: string, text: string): void {
  using map = new Pinned(path);
  const value = new Uint8Array(mapInfo(map.fd).valueSize);
  lookUp(map.fd, new Uint8Array(4), value);
  value.fill(0);
  new TextEncoder().encodeInto(text, value);
  assert.equal(libbpf().bpf_map_update_elem(map.fd, new Uint8Array(4), value, 0n), 0);
}

function folders(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

/**
 * Times of sessions around a change of the kernel's TAI offset, which NTP daemons set. It is the
 * whole machine's: each test changes it as briefly as it can, and puts it back.
 */
import { strict as assert } from "node:assert";
import { readClocks } from "../../ffi/clock.ts";
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import { STATE_ID } from "../../src/session/record_layout.ts";
import { unpin } from "../../src/capture/pin/unpin.ts";
import { Actor } from "./actor.ts";
import { BpfFileSystem } from "./bpf_file_system.ts";
import { capture } from "./capture.ts";
import { hasPort, Trace } from "./harness.ts";

const TOLERANCE_NS = 100_000n; // what docs/span.md promises
const ADJ_TAI = 0x80;
const SECOND = 1_000_000_000n;

const { symbols: LIBC } = Deno.dlopen("libc.so.6", {
  adjtimex: { parameters: ["buffer"], result: "i32" },
});

Deno.test("a session that waits in a pinned ring keeps its time if the TAI offset is set for the first time", async () => {
  await using place = await pinFolder();
  await using sessions = await Sessions.open();
  await (await capture(place.options))[Symbol.asyncDispose]();
  await sessions.make();
  await using trace = await underTai(37, () => startReading(place.options, sessions));
  await sessions.make();
  await sessions.check(trace);
});

Deno.test("it keeps its time if the TAI offset was an unusual one", async () => {
  await using place = await pinFolder();
  await using sessions = await Sessions.open();
  await underTai(12, async () => {
    await (await capture(place.options))[Symbol.asyncDispose]();
    await sessions.make();
  });
  await using trace = await startReading(place.options, sessions);
  await sessions.check(trace);
});

Deno.test("it keeps its time if a run of another version left it", async () => {
  await using place = await pinFolder();
  await using sessions = await Sessions.open();
  await underTai(12, async () => {
    await (await capture(place.options))[Symbol.asyncDispose]();
    await sessions.make();
  });
  await Deno.rename(`${place.folder}/${STATE_ID}`, `${place.folder}/0123456789abcdef`);
  await using trace = await startReading(place.options, sessions);
  await sessions.check(trace);
});

Deno.test("sessions before, during and after a change of the TAI offset have the times of their ends", async () => {
  await using sessions = await Sessions.open();
  await using trace = await Trace.start();
  await sessions.make();
  await underTai(12, async () => {
    await sessions.make();
    await trace.until(4, sessions.isOne);
  });
  await sessions.make();
  await sessions.check(trace);
});

/** Makes sessions, and knows when each was closed. */
class Sessions implements AsyncDisposable {
  readonly isOne: ReturnType<typeof hasPort>;
  readonly #closed: { readonly before: bigint; readonly after: bigint }[] = [];

  private constructor(readonly client: Actor, readonly server: Actor, readonly port: number) {
    this.isOne = hasPort(port);
  }

  static async open(): Promise<Sessions> {
    const [client, server] = await Promise.all([Actor.start(), Actor.start()]);
    return new Sessions(client, server, await server.listen("l", "ipv4", "127.0.0.1"));
  }

  async make(): Promise<void> {
    await Promise.all([
      this.client.connect("s", { family: "ipv4", address: "127.0.0.1", port: this.port }),
      this.server.accept("l", "s"),
    ]);
    const { wall_before_ns: before } = await this.client.close("s");
    const { wall_after_ns: after } = await this.server.close("s");
    this.#closed.push({ before, after });
  }

  /** Compares the ends of all sessions with what `trace` finds. */
  async check(trace: Trace): Promise<void> {
    const ends = (await trace.take(2 * this.#closed.length, this.isOne))
      .map(({ endUnixNs }) => endUnixNs)
      .sort((a, b) => Number(a - b));
    for (const [i, { before, after }] of this.#closed.entries()) {
      for (const end of ends.slice(2 * i, 2 * i + 2)) {
        assert.ok(
          end > before - TOLERANCE_NS && end < after + TOLERANCE_NS,
          `session ${i}: ${Number(end - before) / 1e9} s after its close`,
        );
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Captures, and has read both ends of the session that waits. */
async function startReading(options: CaptureOptions, sessions: Sessions): Promise<Trace> {
  const trace = await Trace.start(options);
  await trace.until(2, sessions.isOne);
  return trace;
}

/** Runs `act` under a TAI offset that this host does not have. @param seconds of it */
async function underTai<Result>(seconds: number, act: () => Promise<Result>): Promise<Result> {
  const before = Number(readClocks().taiOffsetNs / SECOND);
  const other = seconds === before ? seconds + 1 : seconds;
  try {
    setTai(other);
    return await act();
  } finally {
    setTai(before);
  }
}

/** adjtimex(2) */
function setTai(seconds: number): void {
  const timex = new DataView(new ArrayBuffer(208)); // struct timex
  timex.setUint32(0, ADJ_TAI, true); // modes
  timex.setBigInt64(48, BigInt(seconds), true); // constant
  assert.ok(LIBC.adjtimex(timex) >= 0, "cannot set the TAI offset");
}

interface Place extends AsyncDisposable {
  readonly folder: string;
  readonly options: { readonly pin: string };
}

async function pinFolder(): Promise<Place> {
  const system = await BpfFileSystem.mount();
  const folder = `${system.path}/tcpspan`;
  return {
    folder,
    options: { pin: folder },
    async [Symbol.asyncDispose]() {
      unpin(folder);
      await system[Symbol.asyncDispose]();
    },
  };
}

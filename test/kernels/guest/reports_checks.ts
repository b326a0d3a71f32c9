/** Sessions that stay open, samples, and programs that stay while captures come and go. */
import { strict as assert } from "node:assert";
import type { CaptureOptions } from "../../../mod.ts";
import { unpin } from "../../../src/capture/pin/unpin.ts";
import { FLAG } from "../../../src/session/record_layout.ts";
import { hasPort } from "../../kernel/harness.ts";
import type { Check } from "./check.ts";
import { freePort } from "./netcat.ts";
import { assertEnd, assertPlayed, Pair, play, SELF } from "./play.ts";
import { startTrace } from "./trace.ts";

const INTERIM_MS = 200;
const PIN = "/sys/fs/bpf/tcpspan";
const SAMPLED = 40; // sessions

/** Checks that take more than one session, or more than one capture. */
export const REPORTS_CHECKS: readonly Check[] = [
  {
    name: "interim reports, and the end",
    async run() {
      await using trace = await startTrace({ interim: INTERIM_MS });
      using pair = await Pair.open();
      await pair.exchange(1000, 2000);
      await trace.until(2, (end) => end.interim >= 1 && hasPort(pair.port)(end));
      await pair.exchange(10, 20);
      await trace.until(2, (end) => end.rxBytes + end.txBytes === 3030 && hasPort(pair.port)(end));
      await pair.close();
      await trace.until(2, (end) => end.interim === 0 && hasPort(pair.port)(end));
      const clients = (await trace.finish(hasPort(pair.port)))
        .filter(({ peerPort }) => peerPort === pair.port);
      assertEnd(clients[0], { ...SELF, interim: 1, role: "active", lastState: "established" });
      assertEnd(clients.at(-1), { ...SELF, interim: 0, txBytes: 1010, rxBytes: 2020 });
      const intervals = clients.slice(0, -1).map(({ interim }) => interim);
      assert.deepEqual(intervals, intervals.map((_, i) => i + 1));
    },
  },
  {
    name: "open sessions are reported at the stop",
    async run() {
      using before = await Pair.open();
      await before.exchange(1, 2);
      await using trace = await startTrace({ reportOpenOnExit: true });
      using pair = await Pair.open();
      await pair.exchange(1000, 2000);
      const open = await trace.finish((end) =>
        hasPort(pair.port)(end) || hasPort(before.port)(end)
      );
      assert.equal(open.length, 4);
      const [client, old] = [pair, before].map(({ port }) =>
        open.find((end) => end.peerPort === port)
      );
      assertEnd(client, { ...SELF, interim: 1, role: "active", txBytes: 1000, rxBytes: 2000 });
      assertEnd(old, { ...SELF, interim: 1, role: "active", txBytes: 1, rxBytes: 2 });
    },
  },
  {
    name: "sampling keeps both ends or none, and every failure",
    async run() {
      await using trace = await startTrace({
        sampling: { ratio: 0.5, keepErrors: true, key: "of the guest" },
        interim: 60_000,
      });
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      for (let i = 0; i < SAMPLED; i++) {
        const [client, server] = await Promise.all([Deno.connect({ port }), listener.accept()]);
        client.close();
        assert.equal(await server.read(new Uint8Array(1)), null);
        server.close();
      }
      const closed = freePort();
      await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: closed }));
      assert.ok(await trace.until(1, hasPort(closed)), "a failure was left out");
      const kept = await trace.finish(hasPort(port));
      assert.equal(kept.length + trace.sampledOut, 2 * SAMPLED);
      assert.ok(kept.length > 0 && kept.length < 2 * SAMPLED, `${kept.length} ends kept`);
      const sessions = Map.groupBy(
        kept,
        (end) => end.localPort === port ? end.peerPort : end.localPort,
      );
      for (const ends of sessions.values()) assert.equal(ends.length, 2, "one end kept");
      assert.ok(kept.every((end) => end.has(FLAG.SAMPLED)));
    },
  },
  {
    name: "other options take over while a session is open",
    async run() {
      await using trace = await startTrace();
      using pair = await Pair.open();
      await pair.exchange(400, 500);
      await trace.reconfigure({ remotePorts: [pair.port], interim: 60_000 });
      await pair.exchange(600, 1500);
      await pair.close();
      const [client] = await trace.take(1, hasPort(pair.port));
      assertEnd(client, {
        ...SELF,
        role: "active",
        startObserved: true,
        txBytes: 1000,
        rxBytes: 2000,
      });
    },
  },
  {
    name: "pinned programs go on between two captures",
    async run() {
      const options: CaptureOptions = { pin: PIN, ringBuffer: 64 * 1024, interim: 60_000 };
      try {
        const first = await startTrace(options);
        using pair = await Pair.open();
        await pair.exchange(1000, 2000);
        await first[Symbol.asyncDispose]();
        const between = await play();
        await using second = await startTrace(options);
        await second.until(2, hasPort(between));
        await pair.close();
        await second.until(2, hasPort(pair.port));
        const { client } = await assertPlayed(second, between);
        const ends = await second.finish(hasPort(pair.port));
        assert.equal(ends.length, 2);
        for (const end of [client, ...ends]) assertEnd(end, { ...SELF, startObserved: true });
      } finally {
        assert.ok((unpin(PIN)?.programs ?? 0) > 0, "nothing was pinned");
      }
    },
  },
];

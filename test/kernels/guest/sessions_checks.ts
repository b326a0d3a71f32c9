/** Who owns sessions, and how they end. */
import { strict as assert } from "node:assert";
import { constants } from "node:os";
import { endingOf } from "../../../src/session/ending.ts";
import { presentHooks } from "../../../src/capture/hooks.ts";
import { hasPort } from "../../kernel/harness.ts";
import type { Check } from "./check.ts";
import { freePort, Netcat } from "./netcat.ts";
import { assertEnd, assertPlayed, Pair, play, receive, SELF, send } from "./play.ts";
import { startTrace } from "./trace.ts";

/** Writes its pid to a file, sends, and then only keeps running. */
const SENDER = "#!/bin/sh\necho $$ > /tmp/sender\necho sent\nexec sleep 1000\n";

/** Sessions and attempts of every kind. */
export const SESSIONS_CHECKS: readonly Check[] = [
  {
    name: "a session over IPv6",
    needs: "IPv6",
    async run() {
      await using trace = await startTrace();
      const port = await play(1000, 2000, "::1");
      const { client } = await assertPlayed(trace, port);
      assertEnd(client, { family: "ipv6", localAddress: "::1", peerAddress: "::1" });
    },
  },
  {
    name: "many bytes",
    async run() {
      await using trace = await startTrace();
      const [up, down] = [3_000_001, 2_000_003];
      await assertPlayed(trace, await play(up, down), up, down);
    },
  },
  {
    name: "another process connects",
    async run() {
      await using trace = await startTrace();
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      let pid: number;
      {
        await using client = Netcat.connect(port);
        pid = client.pid;
        using server = await listener.accept();
        await client.send(1000);
        await receive(server, 1000);
        await send(server, 10);
      } // nc is killed: its end closes first
      const ends = await trace.pair(port);
      const netcat = { pid, comm: "nc", executable: "busybox" };
      assertEnd(ends.client, { ...netcat, role: "active", ownerSource: "connect", txBytes: 1000 });
      assertEnd(ends.server, { ...SELF, role: "passive", txBytes: 10, rxBytes: 1000 });
    },
  },
  {
    name: "another process accepts",
    async run() {
      await using trace = await startTrace();
      const port = freePort();
      let pid: number;
      {
        await using server = await Netcat.listen(port);
        pid = server.pid;
        using client = await Deno.connect({ hostname: "127.0.0.1", port });
        await send(client, 1000);
        await server.send(500);
        await receive(client, 500);
      }
      const ends = await trace.pair(port);
      assertEnd(ends.client, { ...SELF, role: "active", txBytes: 1000, rxBytes: 500 });
      const netcat = { pid, comm: "nc", executable: "busybox" };
      assertEnd(ends.server, { ...netcat, role: "passive", txBytes: 500, rxBytes: 1000 });
    },
  },
  {
    name: "a process that accepted nothing itself only sends, and is reset",
    async run() {
      await Deno.writeTextFile("/tmp/sender.sh", SENDER, { mode: 0o755 });
      await using trace = await startTrace();
      const port = freePort();
      await using listener = await Netcat.listen(port, "/tmp/sender.sh");
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      await receive(client, 3); // two bytes stay unread: the close is a reset
      client.close();
      // if the kernel skips the program at the end, only the socket's close shows it
      const isReported = await trace.until(2, hasPort(port));
      assert.ok(isReported || trace.losses().skippedRuns > 0, "no report while the socket is held");
      const pid = Number(await Deno.readTextFile("/tmp/sender"));
      Deno.kill(pid, "SIGKILL");
      const { server } = await trace.pair(port);
      const seesSends = presentHooks().some(({ program }) => program === "send");
      assertEnd(server, {
        pid: seesSends ? pid : listener.pid,
        ownerSource: seesSends ? "recv" : "listen",
        txBytes: 5,
      });
      assert.equal(endingOf(server).reason, "reset");
    },
  },
  {
    name: "a connection is refused",
    async run() {
      await using trace = await startTrace();
      const port = freePort();
      await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
      const [attempt] = await trace.take(1, hasPort(port));
      const { ECONNREFUSED } = constants.errno;
      assertEnd(attempt, { ...SELF, role: "active", errno: ECONNREFUSED, lastState: "syn_sent" });
    },
  },
  {
    name: "a session that was open before the start",
    async run() {
      const port = freePort();
      await using server = await Netcat.listen(port);
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      await send(client, 1000);
      await server.send(500);
      await receive(client, 500);
      await using trace = await startTrace();
      await server.send(1);
      await receive(client, 1);
      client.close();
      await trace.until(1, ({ peerPort }) => peerPort === port);
      await server[Symbol.asyncDispose]();
      const ends = await trace.pair(port);
      const before = { startObserved: false, ownerSource: "fd_table" } as const;
      assertEnd(ends.client, { ...SELF, ...before, role: "active", txBytes: 1000, rxBytes: 501 });
      const netcat = { pid: server.pid, comm: "nc", executable: "busybox", startObserved: false };
      assertEnd(ends.server, { ...netcat, role: "passive", txBytes: 501, rxBytes: 1000 });
    },
  },
  {
    name: "a session that was open before the start is left out without `existing`",
    async run() {
      using pair = await Pair.open();
      await using trace = await startTrace({ existing: false });
      await pair.exchange(10, 20);
      await pair.close();
      await assertPlayed(trace, await play());
      assert.deepEqual(await trace.finish(hasPort(pair.port)), []);
    },
  },
];

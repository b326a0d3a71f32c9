/** The tracer's own sessions: left out unless wanted, at both ends on this host. */
import { strict as assert } from "node:assert";
import { Actor } from "./actor.ts";
import { hasPort, Trace } from "./harness.ts";

type Making = (actor: Actor) => Promise<{ port: number }>;

/** Sessions of this process, the tracer. */
const SESSIONS: Record<string, { make: Making; ends: number; others: number }> = {
  "a connection to another process, which this one closes first": {
    ends: 2,
    others: 0,
    make: async (actor) => {
      const port = await actor.listen("l", "ipv4", "127.0.0.1");
      const connection = await Deno.connect({ port });
      await actor.accept("l", "s");
      await connection.write(new Uint8Array(10));
      await actor.receive("s", 10);
      connection.close();
      await actor.receiveFin("s");
      await actor.close("s");
      return { port };
    },
  },
  "a connection over IPv6, which the other process closes first": {
    ends: 2,
    others: 0,
    make: async (actor) => {
      const port = await actor.listen("l", "ipv6", "::1");
      using connection = await Deno.connect({ hostname: "::1", port });
      await actor.accept("l", "s");
      await actor.close("s");
      while (await connection.read(new Uint8Array(10)) !== null);
      return { port };
    },
  },
  "an attempt that is refused": {
    ends: 1,
    others: 0,
    make: async (actor) => {
      const port = await actor.reservePort("ipv4", "127.0.0.1");
      await assert.rejects(Deno.connect({ port, hostname: "127.0.0.1" }));
      return { port };
    },
  },
  "a connection from another process": {
    ends: 2,
    others: 1, // the other process's own end
    make: async (actor) => {
      using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      const { port } = listener.addr;
      const accepting = listener.accept();
      await actor.connect("s", { family: "ipv4", address: "127.0.0.1", port });
      using connection = await accepting;
      await actor.close("s");
      while (await connection.read(new Uint8Array(10)) !== null);
      return { port };
    },
  },
};

for (const [name, { make, ends, others }] of Object.entries(SESSIONS)) {
  for (const ownTraffic of [true, false]) {
    const wanted = ownTraffic ? ends : others;
    Deno.test(`ownTraffic ${ownTraffic}: of ${name}, ${wanted} of ${ends} ends are reported`, async () => {
      await using actor = await Actor.start();
      await using trace = await Trace.start({ ownTraffic });
      const { port } = await make(actor);
      const other = await makeOther(actor); // comes after it through the ring
      await trace.until(2, hasPort(other));
      assert.equal((await trace.finish(hasPort(port))).length, wanted);
      assert.equal(trace.losses().unseen, 0);
    });
  }
}

/** Makes an unrelated session. @returns its listener's port */
async function makeOther(actor: Actor): Promise<number> {
  await using client = await Actor.start();
  const port = await actor.listen("other", "ipv4", "127.0.0.1");
  await Promise.all([
    client.connect("s", { family: "ipv4", address: "127.0.0.1", port }),
    actor.accept("other", "t"),
  ]);
  await client.close("s");
  await actor.receiveFin("t");
  await actor.close("t");
  return port;
}

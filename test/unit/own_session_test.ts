/** doctor's own session: what it reports if a record is wrong. */
import assert from "node:assert/strict";
import { OwnSession } from "../../src/doctor/own_session.ts";
import { makeSession } from "../fixtures.ts";

Deno.test("differences() reports each field that is wrong, as on a kernel that gives wrong rows", async () => {
  using own = new OwnSession();
  await own.play();
  const differences = own.differences(makeSession({ owner_pid: Deno.pid + 1 }));
  assert.equal(differences.length, 4, differences.join("\n"));
  assert.equal(differences[0], `the process is ${Deno.pid + 1}, not ${Deno.pid}`);
  assert.match(differences[1] ?? "", /^\d+ bytes were sent, not 4096$/);
  assert.match(differences[2] ?? "", /^\d+ bytes were received, not 2048$/);
  assert.equal(differences[3], "its time is not that of the wall clock");
});

Deno.test("isToldBy() recognizes only the client's end", async () => {
  using own = new OwnSession();
  await own.play();
  assert.equal(own.isToldBy(makeSession({ local_port: own.port })), false);
  assert.equal(own.isToldBy(makeSession({ peer_port: own.port, local_port: 1 })), false);
});

import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ProcessTable } from "../../src/span/process_table.ts";
import { makeSession } from "../fixtures.ts";

const CAPACITY = 8;

Deno.test("ProcessTable keeps as many of the newest processes as it has room for", () => {
  const process = fc.record({
    owner_pid: fc.nat({ max: 3 }),
    owner_uid: fc.constantFrom(0, 1000),
    owner_exec_id: fc.constantFrom(1, 2),
    owner_process_start_ns: fc.constantFrom(1n, 2n, 1n << 32n),
    owner_exe: fc.constantFrom("a", "b", "a".repeat(63)),
  });
  fc.assert(fc.property(fc.array(process, { maxLength: 60 }), (processes) => {
    const table = new ProcessTable<string>(CAPACITY);
    const added: string[] = [];
    for (const fields of processes) {
      const key = Object.values(fields).join();
      const session = makeSession(fields);
      const expected = added.slice(-CAPACITY).includes(key) ? key : undefined;
      assert.equal(table.get(session), expected);
      if (expected !== undefined) continue;
      assert.equal(table.add(session, key), key);
      added.push(key);
    }
    for (const fields of processes) {
      const key = Object.values(fields).join();
      const expected = added.slice(-CAPACITY).includes(key) ? key : undefined;
      assert.equal(table.get(makeSession(fields)), expected);
    }
  }));
});

Deno.test("ProcessTable ignores the rest of an older name after the end of an owner's name", () => {
  const name = fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 20 });
  const rest = fc.uint8Array({ maxLength: 20 });
  fc.assert(fc.property(name, rest, name, (name, rest, other) => {
    const table = new ProcessTable<string>(CAPACITY);
    table.add(makeSession({ owner_exe: Uint8Array.of(...name, 0, ...rest) }), "known");
    assert.equal(table.get(makeSession({ owner_exe: Uint8Array.from(name) })), "known");
    const same = other.length === name.length && other.every((byte, i) => byte === name[i]);
    const expected = same ? "known" : undefined;
    assert.equal(
      table.get(makeSession({ owner_exe: Uint8Array.of(...other, 0, ...rest) })),
      expected,
    );
  }));
});

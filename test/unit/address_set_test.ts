import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseIpv4 } from "../../src/net/address.ts";
import { AddressSet } from "../../src/span/address_set.ts";
import { makeSession } from "../fixtures.ts";

const bytes = (length: number) =>
  fc.array(fc.constantFrom(1, 2, 255), { minLength: length, maxLength: length })
    .map((found) => Uint8Array.from(found));

Deno.test("AddressSet holds what was added, and nothing else", () => {
  const address = fc.oneof(bytes(4), bytes(16));
  const addresses = fc.array(address, { maxLength: 300 });
  fc.assert(fc.property(addresses, fc.array(address, { maxLength: 50 }), (inside, asked) => {
    const set = new AddressSet();
    for (const local_address of inside) {
      set.addOf(makeSession({ local_address, peer_address: local_address }), "local");
    }
    const texts = new Set(inside.map(String));
    assert.equal(set.size, texts.size);
    for (const peer_address of [...inside, ...asked]) {
      const session = makeSession({ local_address: peer_address, peer_address });
      assert.equal(set.hasOf(session, "peer"), texts.has(String(peer_address)));
    }
    set.clear();
    assert.equal(set.size, 0);
  }));
});

Deno.test("AddressSet takes addresses without a session", () => {
  const set = new AddressSet();
  set.addIpv4(parseIpv4("203.0.113.9"));
  set.addIpv6(Uint8Array.fromHex("20010db8000000000000000000000001"));
  const has = (peer_address: string) =>
    set.hasOf(makeSession({ local_address: peer_address, peer_address }), "peer");
  assert.deepEqual(
    ["203.0.113.9", "2001:db8::1", "203.0.113.8", "2001:db8::2", "::"].map(has),
    [true, true, false, false, false],
  );
});

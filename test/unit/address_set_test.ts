import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseIpv4 } from "../../src/net/address.ts";
import { parseNetwork } from "../../src/net/cidr.ts";
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

const NETWORKS: readonly [cidr: string, inside: string[], outside: string[]][] = [
  ["10.79.0.0/24", ["10.79.0.0", "10.79.0.255"], ["10.79.1.0", "10.78.255.255", "::a4f:1"]],
  ["10.79.0.7/20", ["10.79.15.255"], ["10.79.16.0"]],
  ["128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255"]],
  ["192.0.2.9/32", ["192.0.2.9"], ["192.0.2.8"]],
  ["fd00:79::/64", ["fd00:79::", "fd00:79::ffff:0:0:1"], ["fd00:79:0:1::", "10.79.0.1"]],
  ["2001:db8:8000::/33", ["2001:db8:ffff::1"], ["2001:db8:7fff::1"]],
];

for (const [cidr, inside, outside] of NETWORKS) {
  Deno.test(`AddressSet holds the addresses of ${cidr}`, () => {
    const set = new AddressSet();
    const has = (peer_address: string) =>
      set.hasOf(makeSession({ local_address: peer_address, peer_address }), "peer");
    set.addNetwork(parseNetwork("203.0.113.0/24"));
    set.addNetwork(parseNetwork(cidr));
    assert.ok(inside.every(has));
    assert.ok(!outside.some(has));
    assert.equal(set.size, 0);
    set.clear();
    assert.ok(!inside.some(has));
  });
}

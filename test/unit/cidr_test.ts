import { strict as assert } from "node:assert";
import fc from "fast-check";
import { formatIpv6 } from "../../src/net/address.ts";
import { isCidr, parseNetwork } from "../../src/net/cidr.ts";
import { Networks } from "../../src/net/networks.ts";

const VALID = ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "fd00::/8", "::1", "2001:db8::1/128"];
const INVALID = [
  "",
  "/",
  "10.0.0.0/",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/8/8",
  "10.0.0/8",
  "10.0.0.256",
  "::/129",
  "fe80::1%eth0",
  "localhost",
  "10.0.0.0/8 ",
  "10.0.0.0/0x8",
  "10.0.0.0/ 8",
  "10.0.0.0/8.0",
];

for (const text of VALID) {
  Deno.test(`isCidr() takes ${text}`, () => assert.equal(isCidr(text), true));
}

for (const text of INVALID) {
  Deno.test(`isCidr() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(isCidr(text), false);
    assert.throws(() => new Networks([text]), {
      name: "TypeError",
      message: `cannot read the network: ${text}`,
    });
  });
}

const CASES: [network: string, address: string, inside: boolean][] = [
  ["10.0.0.0/8", "10.255.255.255", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["10.1.2.3/8", "10.200.0.1", true], // bits after the prefix do not count
  ["10.1.2.3", "10.1.2.3", true],
  ["10.1.2.3", "10.1.2.4", false],
  ["0.0.0.0/0", "203.0.113.9", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "2001:db8::1", true],
  ["::/0", "203.0.113.9", false],
  ["fd00::/8", "fdff::1", true],
  ["fd00::/8", "fe00::1", false],
  ["2001:db8::/33", "2001:db8:7fff::1", true],
  ["2001:db8::/33", "2001:db8:8000::1", false],
];

for (const [network, address, inside] of CASES) {
  Deno.test(`${address} is ${inside ? "" : "not "}in ${network}`, () => {
    const family = address.includes(":") ? "ipv6" : "ipv4";
    assert.equal(new Networks([network]).has(address, family), inside);
  });
}

const NUMBERS: [network: string, family: "ipv4" | "ipv6", hex: string, prefix: number][] = [
  ["10.1.2.3/8", "ipv4", "0a010203", 8],
  ["192.0.2.1", "ipv4", "c0000201", 32],
  ["::/0", "ipv6", "00000000000000000000000000000000", 0],
  ["::1", "ipv6", "00000000000000000000000000000001", 128],
  ["2001:db8::/32", "ipv6", "20010db8000000000000000000000000", 32],
  ["2001:db8::1:a/128", "ipv6", "20010db800000000000000000001000a", 128],
  ["1:2:3:4:5:6:7:8/64", "ipv6", "00010002000300040005000600070008", 64],
  ["64:ff9b::192.0.2.1", "ipv6", "0064ff9b0000000000000000c0000201", 128],
  ["::ffff:10.0.0.0/104", "ipv4", "0a000000", 8],
  ["::ffff:10.0.0.0/95", "ipv6", "00000000000000000000ffff0a000000", 95],
];

for (const [network, family, hex, prefix] of NUMBERS) {
  Deno.test(`parseNetwork() reads ${network}`, () => {
    const found = parseNetwork(network);
    assert.deepEqual({ ...found, bytes: found.bytes.toHex() }, { family, bytes: hex, prefix });
  });
}

Deno.test("parseNetwork() reads what formatIpv6() writes", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
    fc.pre(!bytes.subarray(0, 10).every((byte) => byte === 0));
    assert.deepEqual(parseNetwork(formatIpv6(bytes)).bytes, bytes);
  }));
});

Deno.test("Networks.has() looks in all networks, and an empty set has nothing", () => {
  const networks = new Networks(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
  assert.equal(networks.empty, false);
  assert.equal(networks.has("192.0.2.200", "ipv4"), true);
  assert.equal(networks.has("198.51.100.7", "ipv4"), true);
  assert.equal(networks.has("2001:db8:1::", "ipv6"), true);
  assert.equal(networks.has("198.51.100.8", "ipv4"), false);
  const none = new Networks([]);
  assert.equal(none.empty, true);
  assert.equal(none.has("192.0.2.1", "ipv4"), false);
});

Deno.test("Networks.has() compares as many bits as the prefix says", () => {
  const bits128 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
  fc.assert(fc.property(bits128, fc.nat({ max: 128 }), fc.nat({ max: 127 }), (a, prefix, flip) => {
    const b = a ^ 1n << BigInt(127 - flip); // differs in one bit
    const networks = new Networks([`${text(a)}/${prefix}`]);
    assert.equal(networks.has(text(a), "ipv6"), true);
    assert.equal(networks.has(text(b), "ipv6"), flip >= prefix);
  }));
});

function text(address: bigint): string {
  return formatIpv6(Uint8Array.fromHex(address.toString(16).padStart(32, "0")));
}

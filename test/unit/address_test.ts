import { strict as assert } from "node:assert";
import { isIP, isIPv6 } from "node:net";
import fc from "fast-check";
import { formatIpv4, formatIpv6, parseAddress } from "../../src/net/address.ts";

const IPV4: [bytes: number[], text: string][] = [
  [[0, 0, 0, 0], "0.0.0.0"],
  [[127, 0, 0, 1], "127.0.0.1"],
  [[255, 255, 255, 255], "255.255.255.255"],
  [[10, 20, 30, 40], "10.20.30.40"],
];

// RFC 5952, sections 1, 2 and 4, and RFC 4291, section 2.2
const IPV6: [hex: string, text: string][] = [
  ["00000000000000000000000000000000", "::"],
  ["00000000000000000000000000000001", "::1"],
  ["20010db8000000000000000000000001", "2001:db8::1"],
  ["20010db8000000000001000000000001", "2001:db8::1:0:0:1"], // the first of two runs as long
  ["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"], // one zero group stays
  ["20010000000000010000000000000001", "2001:0:0:1::1"], // the longest run
  ["20010db80000000000000000000000aa", "2001:db8::aa"],
  ["ff010000000000000000000000000101", "ff01::101"],
  ["fe800000000000000000000000000000", "fe80::"],
  ["20010db885a308d313198a2e03707348", "2001:db8:85a3:8d3:1319:8a2e:370:7348"],
  ["00010000000000000000000000000000", "1::"],
  ["00000001000100010001000100010001", "0:1:1:1:1:1:1:1"],
  ["00010001000100010001000100010000", "1:1:1:1:1:1:1:0"],
];

for (const [bytes, text] of IPV4) {
  Deno.test(`formatIpv4() writes ${text}`, () => {
    assert.equal(formatIpv4(Uint8Array.from(bytes)), text);
  });
}

for (const [hex, text] of IPV6) {
  Deno.test(`formatIpv6() writes ${text}`, () => {
    assert.equal(formatIpv6(Uint8Array.fromHex(hex)), text);
  });
}

Deno.test("formatIpv6() writes addresses as URLs do, and node:net reads them", () => {
  const group = fc.oneof(fc.constant(0), fc.nat({ max: 0xffff }));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (groups) => {
      const text = formatIpv6(Uint8Array.from(groups.flatMap((g) => [g >> 8, g & 0xff])));
      assert.ok(isIPv6(text));
      const full = groups.map((g) => g.toString(16)).join(":");
      assert.equal(`[${text}]`, new URL(`http://[${full}]`).hostname);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("formatIpv4() and formatIpv6() read from an offset", () => {
  const bytes = Uint8Array.fromHex("ffff7f00000100000000000000000000000000000002ff");
  assert.equal(formatIpv4(bytes, 2), "127.0.0.1");
  assert.equal(formatIpv6(bytes, 6), "::2");
});

Deno.test("parseAddress() takes what node:net takes, without zones, and nothing else", () => {
  const part = fc.constantFrom(
    "0",
    "1",
    "ffff",
    "F0",
    "12345",
    "g",
    "",
    "1.2.3.4",
    "256",
    "01",
    "::",
  );
  const texts = fc.oneof(
    fc.array(part, { minLength: 1, maxLength: 10 }).map((parts) => parts.join(":")),
    fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join(".")),
    fc.ipV4(),
    fc.ipV6(),
    fc.string(),
  );
  const property = fc.property(texts, (text) => {
    const bytes = text.includes("%") ? undefined : parseAddress(text);
    const version = text.includes("%") ? 0 : isIP(text);
    assert.equal(bytes?.length, { 0: undefined, 4: 4, 6: 16 }[version]);
    if (bytes?.length === 16) {
      assert.equal(new URL(`http://[${text}]`).hostname, `[${formatIpv6(bytes)}]`);
    }
  });
  fc.assert(property, { numRuns: 5000 });
  assert.equal(parseAddress("fe80::1%eth0"), undefined);
});

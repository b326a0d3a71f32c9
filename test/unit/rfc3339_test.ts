import { strict as assert } from "node:assert";
import fc from "fast-check";
import { formatRfc3339, Rfc3339Writer } from "../../src/bytes/rfc3339.ts";
import { UnixTime } from "../../src/bytes/unix_time.ts";

const CASES: [unixNs: bigint, digits: number, text: string][] = [
  [0n, 9, "1970-01-01T00:00:00.000000000Z"],
  [1n, 9, "1970-01-01T00:00:00.000000001Z"],
  [999_999_999n, 3, "1970-01-01T00:00:00.999Z"], // cut, not rounded
  [999_999_999n, 0, "1970-01-01T00:00:00Z"],
  [1_000_000_000_000_000_000n, 6, "2001-09-09T01:46:40.000000Z"],
  [951_782_400_123_456_789n, 9, "2000-02-29T00:00:00.123456789Z"],
  [4_102_444_799_999_999_999n, 9, "2099-12-31T23:59:59.999999999Z"],
];

for (const [unixNs, digits, text] of CASES) {
  Deno.test(`formatRfc3339() writes ${text}`, () => {
    assert.equal(formatRfc3339(unixNs, digits), text);
  });
}

Deno.test("formatRfc3339() loses no nanosecond", () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (unixNs) => {
    const text = formatRfc3339(unixNs, 9);
    const [, fraction = ""] = /\.(\d{9})Z$/.exec(text) ?? [];
    const seconds = Date.parse(text.replace(/\.\d+/, "")) / 1000;
    assert.equal(BigInt(seconds) * 1_000_000_000n + BigInt(fraction), unixNs);
  }));
});

Deno.test("Rfc3339Writer writes any time as formatRfc3339() does", () => {
  const writer = new Rfc3339Writer();
  const time = new UnixTime();
  const target = new DataView(new ArrayBuffer(64));
  const check = (unixNs: bigint) => {
    time.set(Number(BigInt.asIntN(32, unixNs)), Number(unixNs >> 32n));
    const end = writer.write(time, target, 0);
    const text = new TextDecoder().decode(target.buffer.slice(0, end));
    assert.equal(text, formatRfc3339(unixNs, 9));
  };
  const noon = 43_200_000_000_000n;
  [...CASES.map(([unixNs]) => unixNs), 2n * noon - 1n, 2n * noon].forEach(check);
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), check));
});

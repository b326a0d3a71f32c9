import assert from "node:assert/strict";
import fc from "fast-check";
import {
  digitCount,
  NUMBER_LIMIT,
  writeDigits,
  writeInteger,
  writeText,
} from "../../src/bytes/digits.ts";

/** What a function writes into the middle of other bytes. */
function written(write: (target: DataView, at: number) => number): string {
  const target = new DataView(new ArrayBuffer(2 * NUMBER_LIMIT));
  const end = write(target, NUMBER_LIMIT / 2);
  return new TextDecoder().decode(target.buffer.slice(NUMBER_LIMIT / 2, end));
}

Deno.test("writeInteger() writes what String makes of any whole number", () => {
  const powers = Array.from({ length: 20 }, (_, digits) => 10 ** digits);
  const edges = powers.flatMap((power) => [power - 1, power, power + 1]);
  const check = (value: number) => {
    assert.equal(written((target, at) => writeInteger(value, target, at)), String(value));
  };
  [0, -0, -1, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, -(2 ** 64), ...edges].forEach(check);
  fc.assert(fc.property(fc.maxSafeInteger(), check));
});

Deno.test("writeDigits() fills up with zeros, and digitCount() counts without them", () => {
  assert.equal(written((target, at) => writeDigits(42, 9, target, at)), "000000042");
  fc.assert(fc.property(fc.nat(999_999_999), (value) => {
    const count = digitCount(value);
    assert.equal(written((target, at) => writeDigits(value, count, target, at)), String(value));
  }));
});

Deno.test("writeText() writes UTF-8", () => {
  assert.equal(
    written((target, at) => writeText("zwölf \u{1f94a}", target, at)),
    "zwölf \u{1f94a}",
  );
});

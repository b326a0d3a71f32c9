import { strict as assert } from "node:assert";
import fc from "fast-check";
import { SipHash } from "../../src/ids/siphash.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

// github.com/veorq/SipHash, vectors.h: the input is the bytes 00, 01, 02 … of that length
const VECTORS_64: [length: number, hash: string][] = [
  [0, "310e0edd47db6f72"],
  [1, "fd67dc93c539f874"],
  [2, "5a4fa9d909806c0d"],
  [3, "2d7efbd796666785"],
  [15, "e545be4961ca29a1"], // the example of the paper
];
const VECTORS_128: [length: number, hash: string][] = [
  [0, "a3817f04ba25a8e66df67214c7550293"],
  [1, "da87c1d86b99af44347659119b22fc45"],
];

for (const [length, expected] of VECTORS_64) {
  Deno.test(`hash64() of the published input of ${length} bytes is ${expected}`, () => {
    assert.equal(hash(8, KEY, Uint8Array.from({ length }, (_, i) => i)), expected);
  });
}

for (const [length, expected] of VECTORS_128) {
  Deno.test(`hash128() of the published input of ${length} bytes is ${expected}`, () => {
    assert.equal(hash(16, KEY, Uint8Array.from({ length }, (_, i) => i)), expected);
  });
}

for (const size of [8, 16] as const) {
  Deno.test(`hash${size * 8}() gives what OpenSSL gives, whatever the key and the input`, async () => {
    const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const input = fc.uint8Array({ maxLength: 70 });
    await fc.assert(
      fc.asyncProperty(key, input, async (key, input) => {
        assert.equal(hash(size, key, input), await openssl(size, key, input));
      }),
      { numRuns: 50 },
    );
  });
}

Deno.test("SipHash reads an input anywhere in its buffer", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 7);
  assert.equal(hash(16, KEY, bytes.subarray(3, 23)), hash(16, KEY, bytes.slice(3, 23)));
});

Deno.test("SipHash takes only a key of 16 bytes", () => {
  for (const length of [0, 8, 15, 17]) {
    assert.throws(() => new SipHash(new Uint8Array(length)), {
      name: "RangeError",
      message: `cannot key SipHash: ${length} bytes, not 16`,
    });
  }
});

function hash(size: 8 | 16, key: Uint8Array, input: Uint8Array): string {
  const siphash = new SipHash(key);
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  if (size === 8) siphash.hash64(view);
  else siphash.hash128(view);
  return siphash.output.subarray(0, size).toHex();
}

async function openssl(size: number, key: Uint8Array, input: Uint8Array): Promise<string> {
  const options = ["-macopt", `hexkey:${key.toHex()}`, "-macopt", `size:${size}`];
  const child = new Deno.Command("openssl", {
    args: ["mac", ...options, "SIPHASH"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input);
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout).trim().toLowerCase();
}

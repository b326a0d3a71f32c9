/**
 * Runs fuzz targets: functions that take any bytes, and throw if they find something wrong. A
 * target gets the files of `test/fuzz/seeds/NAME/`, then what fast-check makes from them: the same
 * each time, or something new for TCPSPAN_FUZZ_SECONDS. What fails is kept as another seed.
 */
import fc from "fast-check";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { cpuUsage } from "node:process";
import { fileURLToPath } from "node:url";

/** Takes any bytes. */
export type Target = (bytes: Uint8Array<ArrayBuffer>) => void | Promise<void>;

/** How a target is run. */
export interface FuzzOptions {
  /** Tokens that are put into the bytes. */
  readonly tokens?: readonly string[];
  /** Number of cases when the tests run. */
  readonly runs?: number;
  /** Most bytes of a case. */
  readonly most?: number;
}

const SEEDS = fileURLToPath(new URL("seeds/", import.meta.url));
const FIXED_SEED = 20261125;
const RUNS = 300;
const MOST_BYTES = 4096;
const MOST_CPU_MS = 2000; // of one case: more counts as hanging
const ROUND = 200; // cases between looks at the clock

const encoder = new TextEncoder();

/** Registers a test for each seed of `name`, and one for what is made from them. */
export function fuzz(name: string, target: Target, options: FuzzOptions = {}): void {
  const folder = join(SEEDS, name);
  const seeds = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  const bytes = seeds.map((file) => Deno.readFileSync(join(folder, file)));
  seeds.forEach((file, i) => {
    Deno.test(`fuzz ${name}: the seed ${file}`, () => timed(target, bytes[i] ?? new Uint8Array()));
  });
  Deno.test(`fuzz ${name}: any bytes`, async () => {
    const cases = arbitrary(bytes, options);
    const seconds = Number(Deno.env.get("TCPSPAN_FUZZ_SECONDS") ?? 0);
    if (!(seconds >= 0)) throw new RangeError("cannot fuzz: TCPSPAN_FUZZ_SECONDS is no number");
    if (seconds === 0) return await check(folder, target, cases, FIXED_SEED, options.runs ?? RUNS);
    const end = performance.now() + seconds * 1000;
    for (let seed = Date.now() >>> 0; performance.now() < end; seed++) {
      await check(folder, target, cases, seed, ROUND);
    }
  });
}

async function check(
  folder: string,
  target: Target,
  cases: fc.Arbitrary<Uint8Array<ArrayBuffer>>,
  seed: number,
  numRuns: number,
): Promise<void> {
  const property = fc.asyncProperty(cases, (bytes) => timed(target, bytes));
  const { failed, counterexample, errorInstance } = await fc.check(property, { seed, numRuns });
  if (!failed) return;
  const [bytes] = counterexample ?? [];
  if (bytes === undefined) throw errorInstance;
  const file = join(folder, `found-${createHash("sha1").update(bytes).digest("hex").slice(0, 8)}`);
  await Deno.writeFile(file, bytes);
  throw new Error(`kept as ${file}: ${JSON.stringify(new TextDecoder().decode(bytes))}`, {
    cause: errorInstance,
  });
}

async function timed(target: Target, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const began = cpuUsage(); // not elapsed time: the machine may be busy
  await target(bytes);
  const { user, system } = cpuUsage(began);
  const took = (user + system) / 1000;
  if (took > MOST_CPU_MS) throw new Error(`it took ${Math.round(took)} ms`);
}

/** One change of some bytes. Places are parts of 2^16 of the length. */
type Change =
  | { readonly kind: "flip"; readonly at: number; readonly bit: number }
  | { readonly kind: "cut"; readonly at: number; readonly length: number }
  | {
    readonly kind: "repeat";
    readonly at: number;
    readonly length: number;
    readonly times: number;
  }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array };

function arbitrary(
  seeds: readonly Uint8Array<ArrayBuffer>[],
  { tokens = [], most = MOST_BYTES }: FuzzOptions,
): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const at = fc.nat(0xffff);
  const inserted: fc.Arbitrary<Uint8Array>[] = [
    fc.uint8Array({ maxLength: 16 }),
    fc.string({ unit: "binary", maxLength: 8 }).map((text) => encoder.encode(text)),
  ];
  if (tokens.length > 0) {
    inserted.push(fc.constantFrom(...tokens).map((text) => encoder.encode(text)));
  }
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant("cut" as const), at, length: fc.nat(64) }),
    fc.record({
      kind: fc.constant("repeat" as const),
      at,
      length: fc.nat(32),
      times: fc.constantFrom(1, 2, 8, 512),
    }),
    fc.record({ kind: fc.constant("insert" as const), at, bytes: fc.oneof(...inserted) }),
  );
  const fresh = fc.uint8Array({ maxLength: 512 }).map((bytes) => new Uint8Array(bytes));
  if (seeds.length === 0) return fresh;
  const changed = fc.tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 8 }))
    .map(([seed, changes]) => changes.reduce(apply, seed).slice(0, most));
  return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: fresh });
}

function apply(bytes: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  const at = Math.floor(change.at / 0x10000 * (bytes.length + 1));
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (change.kind) {
    case "flip":
      return concatenate(before, after.map((byte, i) => i === 0 ? byte ^ 1 << change.bit : byte));
    case "cut":
      return concatenate(before, after.subarray(change.length));
    case "repeat": {
      const part = after.subarray(0, change.length);
      return concatenate(before, ...Array.from({ length: change.times }, () => part), after);
    }
    case "insert":
      return concatenate(before, change.bytes, after);
  }
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

import { strict as assert } from "node:assert";
import { bootTimeNs, type ClockReading, readClocks, wallOffsetNs } from "../../ffi/clock.ts";
import { MOST_READINGS, readHistory, writeHistory } from "../../src/capture/clock_history.ts";
import { WallClock } from "../../src/capture/wall_clock.ts";

const TOLERANCE_NS = 100_000n; // what docs/span.md promises
const SECOND = 1_000_000_000n;
const DAY = 86_400n * SECOND;
const NOON = 20_454n * DAY + DAY / 2n; // on 2026-01-01

function assertNear(one: bigint, other: bigint): void {
  const difference = one > other ? one - other : other - one;
  assert.ok(difference < TOLERANCE_NS, `${difference} ns apart`);
}

Deno.test("offsetAt() leads from the boot clock to the wall clock", () => {
  const clock = new WallClock();
  const before = BigInt(Date.now()) * 1_000_000n;
  const bootNs = bootTimeNs();
  const now = bootNs + clock.offsetAt(bootNs);
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  assert.ok(now > before - TOLERANCE_NS && now < after + TOLERANCE_NS);
});

Deno.test("offsetAt() is the same for any time while nobody sets the wall clock", () => {
  const clock = new WallClock();
  const offset = clock.offsetAt(0n);
  clock.step();
  for (const bootNs of [1n, bootTimeNs(), 2n ** 62n]) {
    assert.equal(clock.offsetAt(bootNs), offset);
  }
});

Deno.test("after a step offsetAt() keeps the old offset for the time before it", () => {
  const host = new Host();
  const clock = new WallClock(host.read);
  const before = host.record();
  host.set(-5n * SECOND);
  clock.step();
  const after = host.record();
  assert.equal(clock.offsetAt(before.bootNs), before.offset);
  assert.equal(clock.offsetAt(after.bootNs), after.offset);
});

Deno.test("a clock that is stepped without end forgets the oldest steps", () => {
  const host = new Host();
  const clock = new WallClock(host.read);
  let kept: readonly ClockReading[] = [];
  clock.resume([], (history) => kept = history);
  for (let i = 0; i < 1000; i++) {
    host.set(SECOND);
    clock.step();
  }
  const [oldest] = kept.slice(-1);
  assert.equal(kept.length, MOST_READINGS);
  assert.equal(clock.offsetAt(0n), oldest?.wallOffsetNs);
  const now = host.record();
  assert.equal(clock.offsetAt(now.bootNs), now.offset);
});

const GAPS: [name: string, gapNs: bigint, offsetNs: bigint][] = [
  ["sees no step if the program paused between reading the two clocks", 20_000_000n, 0n],
  ["finds a step forward that was undone unseen", 3_000_000_000n, 3_000_000_000n],
  ["finds a step back that was undone unseen", -3_000_000_000n, -3_000_000_000n],
];

for (const [name, gapNs, offsetNs] of GAPS) {
  Deno.test(`offsetOfTai() ${name}`, () => {
    const clock = new WallClock();
    const found = clock.offsetOfTai(taiBootOffset() + gapNs, bootTimeNs());
    assertNear(found - offsetNs, wallOffsetNs());
  });
}

/** What happens to a host's clocks while records are made, and no run reads them. */
const CHANGES: readonly {
  readonly name: string;
  /** The TAI offset before, in seconds. */
  readonly tai?: bigint;
  readonly changes: readonly ((host: Host) => void)[];
}[] = [
  { name: "nothing", changes: [] },
  { name: "the TAI offset is set for the first time", changes: [(host) => host.setTai(37n)] },
  { name: "it is set to another value", tai: 37n, changes: [(host) => host.setTai(12n)] },
  { name: "it is set back to 0", tai: 37n, changes: [(host) => host.setTai(0n)] },
  {
    name: "it is set, and set back",
    changes: [(host) => host.setTai(37n), (host) => host.setTai(0n)],
  },
  { name: "the wall clock is set forward", tai: 37n, changes: [(host) => host.set(4n * DAY)] },
  { name: "it is set back", tai: 37n, changes: [(host) => host.set(-3_141_592_653n)] },
  { name: "it is set by as much as TAI is ahead", changes: [(host) => host.set(37n * SECOND)] },
  { name: "it is set by a tenth of a millisecond", changes: [(host) => host.set(100_000n)] },
  {
    name: "an NTP daemon sets the wall clock, then the TAI offset",
    changes: [(host) => host.set(-7_123_456_789n), (host) => host.setTai(37n)],
  },
  {
    name: "it sets the TAI offset, then the wall clock",
    changes: [(host) => host.setTai(37n), (host) => host.set(7_123_456_789n)],
  },
  { name: "a leap second is inserted", tai: 37n, changes: [(host) => host.leap()] },
];

for (const { name, tai = 0n, changes } of CHANGES) {
  Deno.test(`a record that waits for the next run has the offset of its time: ${name}`, () => {
    const host = new Host(tai);
    const variables = new Map<number, bigint>();
    run(host, variables);
    const records = play(host, changes);
    const clock = run(host, variables);
    for (const { tai, bootNs, offset } of records) {
      assert.equal(clock.offsetOfTai(tai, bootNs), offset);
    }
  });

  Deno.test(`a record that waits in the ring of a run has the offset of its time: ${name}`, () => {
    const host = new Host(tai);
    const clock = run(host, new Map());
    const records = play(host, changes, () => clock.step()); // as the timerfd makes it
    for (const { tai, bootNs, offset } of records) {
      assert.equal(clock.offsetOfTai(tai, bootNs), offset);
    }
  });

  Deno.test(`a record that is read at once has the offset of its time: ${name}`, () => {
    const host = new Host(tai);
    const clock = run(host, new Map());
    const check = () => {
      const { tai, bootNs, offset } = host.record();
      assert.equal(clock.offsetOfTai(tai, bootNs), offset);
    };
    check();
    for (const change of changes) {
      const before = host.read().taiOffsetNs;
      change(host);
      const { taiOffsetNs } = host.read();
      if (taiOffsetNs - before === SECOND) clock.step(); // nothing else shows a leap second
      check();
    }
  });

  Deno.test(`two runs later it still has the offset of its time: ${name}`, () => {
    const host = new Host(tai);
    const variables = new Map<number, bigint>();
    run(host, variables);
    const records = play(host, changes);
    for (let i = 0; i < 40; i++) run(host, variables); // killed before they read anything
    const clock = run(host, variables);
    for (const { tai, bootNs, offset } of records) {
      assert.equal(clock.offsetOfTai(tai, bootNs), offset);
    }
  });
}

Deno.test("a pin of a version that kept no readings: the usual TAI offsets are tried", () => {
  const host = new Host(0n);
  const records = play(host, [(host) => host.setTai(37n)]);
  const clock = run(host, new Map());
  for (const { tai, bootNs, offset } of records) {
    assert.equal(clock.offsetOfTai(tai, bootNs), offset);
  }
});

Deno.test("readings are kept as they were, also negative ones", () => {
  const history = [
    { bootNs: 5n * DAY, wallOffsetNs: NOON, taiOffsetNs: 37n * SECOND },
    { bootNs: 0n, wallOffsetNs: -DAY, taiOffsetNs: -SECOND },
  ];
  const variables = new Map<number, bigint>();
  writeHistory(history, (word, value) => variables.set(word, value));
  assert.deepEqual(readHistory((word) => variables.get(word) ?? 0n), history);
  assert.deepEqual(readHistory(() => undefined), []);
});

/** A host whose clocks a test sets. */
class Host {
  #bootNs = 1000n * SECOND;
  #offset = NOON - this.#bootNs;
  #tai: bigint;

  /** @param tai the TAI offset in seconds */
  constructor(tai = 0n) {
    this.#tai = tai * SECOND;
  }

  readonly read = (): ClockReading => ({
    bootNs: this.#bootNs += 1_000n,
    wallOffsetNs: this.#offset,
    taiOffsetNs: this.#tai,
  });

  /** Time passes, and a session ends. @returns what its record holds, and the offset then */
  record(): { readonly tai: bigint; readonly bootNs: bigint; readonly offset: bigint } {
    this.#bootNs += SECOND;
    return {
      tai: this.#offset + this.#tai + 700n, // one clock is read after the other
      bootNs: this.#bootNs,
      offset: this.#offset,
    };
  }

  /** Sets the wall clock forward. */
  set(ns: bigint): void {
    this.#offset += ns;
  }

  /** Sets the TAI offset, in seconds: ADJ_TAI of adjtimex(2). */
  setTai(seconds: bigint): void {
    this.#tai = seconds * SECOND;
  }

  /** Midnight comes, and with it a leap second: STA_INS of adjtimex(2). */
  leap(): void {
    const time = this.#bootNs + this.#offset;
    this.#bootNs += DAY - time % DAY;
    this.#offset -= SECOND;
    this.#tai += SECOND;
  }
}

/** A run that begins, with the variables that those before it have left. */
function run(host: Host, variables: Map<number, bigint>): WallClock {
  const clock = new WallClock(host.read);
  const earlier = readHistory((word) => variables.get(word) ?? 0n);
  clock.resume(earlier, (history) => {
    writeHistory(history, (word, value) => variables.set(word, value));
  });
  return clock;
}

/** Records from before, between and after changes. */
function play(
  host: Host,
  changes: readonly ((host: Host) => void)[],
  noticed = () => {},
): ReturnType<Host["record"]>[] {
  const records = [host.record()];
  for (const change of changes) {
    change(host);
    noticed();
    records.push(host.record());
  }
  return records;
}

/** CLOCK_TAI − CLOCK_BOOTTIME, as the kernel program measures it. */
function taiBootOffset(): bigint {
  const { wallOffsetNs, taiOffsetNs } = readClocks();
  return wallOffsetNs + taiOffsetNs;
}

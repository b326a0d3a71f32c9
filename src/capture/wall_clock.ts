/** From the kernel's clock to the wall clock, across steps and changes of the TAI offset. */
import { type ClockReading, readClocks } from "../../ffi/clock.ts";
import { type ClockHistory, MOST_READINGS } from "./clock_history.ts";

const EXACT_NS = 20_000n; // between two readings of the same clocks
const SLACK_NS = 1_000_000n; // an interrupt between two readings
const MOST_STILL_NS = 1_000_000_000n; // of a virtual CPU
const DAY_NS = 86_400_000_000_000n;
/** TAI offsets that a host may have had unseen: before anybody sets it, and since 2017. */
const USUAL_TAI_NS = [0n, 37_000_000_000n];

/**
 * CLOCK_REALTIME − CLOCK_BOOTTIME over time. Both are slewed in the same way, so the difference
 * changes only when the wall clock is set.
 *
 * The kernel's programs can read CLOCK_TAI, and not CLOCK_REALTIME. Between the two lies the TAI
 * offset, which NTP's daemons set, mostly once and soon after the boot. So a record is compared
 * with what both differences were, as far as readings tell.
 */
export class WallClock {
  readonly #read: () => ClockReading;
  /** Each holds from its `bootNs` on, the first of a run also before it: it is 0 there. */
  #history: ClockHistory;
  #keep: (history: ClockHistory) => void = () => {};

  constructor(read = readClocks) {
    this.#read = read;
    this.#history = [{ ...read(), bootNs: 0n }];
  }

  /**
   * Continues from what earlier runs knew.
   * @param keep called at once, and after each change
   */
  resume(earlier: ClockHistory, keep: (history: ClockHistory) => void): void {
    this.#keep = keep;
    const [before] = earlier;
    const first = this.#history.at(-1);
    if (before === undefined || first === undefined) return this.#change(this.#history);
    const later = this.#history.slice(0, -1);
    if (isSame(before, first)) return this.#change([...later, ...earlier]);
    const leap = leapSecond(before, { ...first, bootNs: this.#read().bootNs });
    this.#change([...later, { ...first, bootNs: leap ?? first.bootNs }, ...earlier]);
  }

  /** Looks for a step that has just happened. */
  step(): void {
    const reading = this.#read();
    const [newest] = this.#history;
    if (newest !== undefined && isSame(newest, reading)) return;
    const leap = newest && leapSecond(newest, reading);
    this.#change([{ ...reading, bootNs: leap ?? reading.bootNs }, ...this.#history]);
  }

  /** The offset in nanoseconds that held at `bootNs`. */
  offsetAt(bootNs: bigint): bigint {
    return this.#at(bootNs).wallOffsetNs;
  }

  /**
   * The offset in nanoseconds that held at `bootNs`, when CLOCK_TAI − CLOCK_BOOTTIME was about
   * `tai`: the kernel program reads one clock after the other. Finds changes that were not noted
   * yet.
   */
  offsetOfTai(tai: bigint, bootNs: bigint): bigint {
    return this.#nearest(tai, bootNs, EXACT_NS) ?? this.#afterChange(tai, bootNs);
  }

  #afterChange(tai: bigint, bootNs: bigint): bigint {
    this.step();
    const known = this.#nearest(tai, bootNs, SLACK_NS) ?? this.#combined(tai);
    if (known !== undefined) return known;
    // the program stood still between the clocks, or a step was undone before it was seen
    const held = this.#at(bootNs);
    const late = tai - taiOf(held);
    return late > 0n && late < MOST_STILL_NS ? held.wallOffsetNs : tai - held.taiOffsetNs;
  }

  /** The offset of the reading that shows about `tai`; if several do, of the one of that time. */
  #nearest(tai: bigint, bootNs: bigint, within: bigint): bigint | undefined {
    let best = this.#at(bootNs);
    if (distance(taiOf(best), tai) < EXACT_NS) return best.wallOffsetNs;
    for (const reading of this.#history) {
      if (distance(taiOf(reading), tai) < distance(taiOf(best), tai)) best = reading;
    }
    return distance(taiOf(best), tai) < within ? best.wallOffsetNs : undefined;
  }

  /** An offset of one reading, if it shows about `tai` with the TAI offset of another. */
  #combined(tai: bigint): bigint | undefined {
    const taiOffsets = [...this.#history.map(({ taiOffsetNs }) => taiOffsetNs), ...USUAL_TAI_NS];
    for (const { wallOffsetNs } of this.#history) {
      const found = taiOffsets.some((ns) => distance(wallOffsetNs + ns, tai) < SLACK_NS);
      if (found) return wallOffsetNs;
    }
    return undefined;
  }

  #at(time: bigint): ClockReading {
    const found = this.#history.find(({ bootNs }) => bootNs <= time) ?? this.#history.at(-1);
    return found ?? { bootNs: 0n, wallOffsetNs: 0n, taiOffsetNs: 0n };
  }

  #change(history: ClockHistory): void {
    this.#history = history.slice(0, MOST_READINGS);
    this.#keep(this.#history);
  }
}

/** CLOCK_TAI − CLOCK_BOOTTIME */
function taiOf({ wallOffsetNs, taiOffsetNs }: ClockReading): bigint {
  return wallOffsetNs + taiOffsetNs;
}

function isSame(one: ClockReading, other: ClockReading): boolean {
  return one.taiOffsetNs === other.taiOffsetNs &&
    distance(one.wallOffsetNs, other.wallOffsetNs) < EXACT_NS;
}

/**
 * When a leap second came between two readings, by the boot clock; undefined if none did. It sets
 * the wall clock at midnight UTC, and the TAI offset with it: CLOCK_TAI does not show it.
 */
function leapSecond(before: ClockReading, after: ClockReading): bigint | undefined {
  if (before.taiOffsetNs === after.taiOffsetNs) return undefined;
  if (distance(taiOf(before), taiOf(after)) > SLACK_NS) return undefined;
  const time = after.bootNs + before.wallOffsetNs;
  return time - time % DAY_NS - before.wallOffsetNs;
}

function distance(one: bigint, other: bigint): bigint {
  return one > other ? one - other : other - one;
}

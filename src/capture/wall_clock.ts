/** From the kernel's clock to the wall clock, across steps. */
import { bootTimeNs, taiOffsetNs, wallOffsetNs } from "../../ffi/clock.ts";

interface Offset {
  /** Nanoseconds of the boot clock from which it holds. */
  readonly since: bigint;
  readonly ns: bigint;
}

const SLACK_NS = 1_000_000n; // an interrupt between two readings
const MOST_STILL_NS = 1_000_000_000n; // of a virtual CPU
const HISTORY = 16; // a session is read within seconds of its end

/**
 * CLOCK_REALTIME − CLOCK_BOOTTIME over time. Both are slewed in the same way, so the difference
 * changes only when the wall clock is set.
 */
export class WallClock {
  #taiOffset = taiOffsetNs();
  readonly #history: Offset[] = [{ since: 0n, ns: wallOffsetNs() }];

  /** Notes a step that has just happened. */
  step(): void {
    this.#taiOffset = taiOffsetNs();
    this.#history.unshift({ since: bootTimeNs(), ns: wallOffsetNs() });
    this.#history.length = Math.min(this.#history.length, HISTORY);
  }

  /** The offset in nanoseconds that held at `bootNs`. */
  offsetAt(bootNs: bigint): bigint {
    const found = this.#history.find(({ since }) => since <= bootNs) ?? this.#history.at(-1);
    return found?.ns ?? 0n;
  }

  /**
   * The offset in nanoseconds that held at `bootNs`, when CLOCK_TAI − CLOCK_BOOTTIME was about
   * `tai`: the kernel program reads one clock after the other. Finds steps that were not noted yet.
   */
  offsetOfTai(tai: bigint, bootNs: bigint): bigint {
    return this.#near(tai - this.#taiOffset) ?? this.#afterStep(tai, bootNs);
  }

  #afterStep(tai: bigint, bootNs: bigint): bigint {
    this.step();
    const about = tai - this.#taiOffset;
    const known = this.#near(about);
    if (known !== undefined) return known;
    // the program stood still between the clocks, or a step was undone before it was seen
    const late = about - this.offsetAt(bootNs);
    return late > 0n && late < MOST_STILL_NS ? about - late : about;
  }

  #near(about: bigint): bigint | undefined {
    return this.#history.find(({ ns }) => ns - about < SLACK_NS && about - ns < SLACK_NS)?.ns;
  }
}

/** What a process uses during a trial. */
import { residentMb } from "../../bench/usage.ts";

const INTERVAL_MS = 500;

/** A process at one moment. */
interface Sample {
  readonly mb: number;
  readonly descriptors: number;
}

/** Samples a process until it is disposed of. */
export class Watch implements Disposable {
  readonly #samples: Sample[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(private readonly pid: number) {
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), INTERVAL_MS);
  }

  /** Medians of the first and of the last third of the time. */
  get thirds(): readonly [first: Sample, last: Sample] {
    const third = Math.max(1, Math.floor(this.#samples.length / 3));
    return [median(this.#samples.slice(0, third)), median(this.#samples.slice(-third))];
  }

  /** Most memory at any time, in MB. */
  get peakMb(): number {
    return Math.max(...this.#samples.map(({ mb }) => mb));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    try {
      const descriptors = [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
      const mb = residentMb(this.pid);
      if (!Number.isNaN(mb)) this.#samples.push({ mb, descriptors }); // else it has ended
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it has ended
    }
  }
}

function median(samples: readonly Sample[]): Sample {
  const middle = (value: (sample: Sample) => number) =>
    samples.map(value).sort((a, b) => a - b)[samples.length >> 1] ?? NaN;
  return { mb: middle(({ mb }) => mb), descriptors: middle(({ descriptors }) => descriptors) };
}

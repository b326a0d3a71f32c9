/** Measurements of code that needs neither root nor a kernel, on one core. */
import { median } from "./statistics.ts";

/** One way to do the work, and its cost. */
export interface Figure {
  readonly name: string;
  /** Nanoseconds for each item, the median of the rounds. */
  readonly nsPerItem: number;
}

const ROUNDS = 15;
const WARM_UP_MS = 1500;
const LEAST_MS = 30; // of a round

/** Measures each way to process `items`, in turn, so that what disturbs one disturbs all. */
export function measureWays(ways: Readonly<Record<string, () => void>>, items: number): Figure[] {
  const entries = Object.entries(ways);
  const counts = entries.map(([, run]) => {
    const { ms } = repeat(run, (ms) => ms >= WARM_UP_MS / entries.length);
    return Math.max(1, Math.ceil(LEAST_MS / ms));
  });
  const rounds = entries.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, run]] of entries.entries()) {
      const count = counts[i] ?? 1;
      rounds[i]?.push(repeat(run, (_, done) => done >= count).ms);
    }
  }
  return entries.map(([name], i) => ({ name, nsPerItem: median(rounds[i] ?? []) * 1e6 / items }));
}

/** @returns the average milliseconds of a run */
function repeat(run: () => void, enough: (ms: number, done: number) => boolean): { ms: number } {
  const began = performance.now();
  for (let done = 1;; done++) {
    run();
    const ms = performance.now() - began;
    if (enough(ms, done)) return { ms: ms / done };
  }
}

/** Prints the machine that the figures are from. */
export function printMachine(): void {
  console.log(`${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`);
}

/**
 * Prints figures, each beside the first.
 * @param item such as `span`
 */
export function printFigures(title: string, item: string, figures: readonly Figure[]): void {
  const head = [`ns/${item}`.padStart(12), `${item}s/s`.padStart(13), "ratio".padStart(8)];
  console.log(`\n${title.padEnd(60)}${head.join("")}`);
  const base = figures[0]?.nsPerItem ?? NaN;
  for (const { name, nsPerItem } of figures) {
    const columns = [
      name.padEnd(60),
      nsPerItem.toFixed(1).padStart(12),
      Math.round(1e9 / nsPerItem).toLocaleString("en").padStart(13),
      `${(base / nsPerItem).toFixed(1)}x`.padStart(8),
    ];
    console.log(columns.join(""));
  }
}

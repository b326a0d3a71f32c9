/** How many sessions vanished: begun, and neither ended nor open. */
import { SystemError } from "../../ffi/libc.ts";
import type { Walk } from "../../ffi/walk.ts";
import { BSS, TALLY } from "../session/record_layout.ts";
import type { KernelProgram } from "./kernel_program.ts";
import { walksElsewhere, walksHere } from "./walks.ts";

/** Sessions at whose end the kernel ran no program. */
export interface Unseen {
  readonly sessions: number;
  /** Whether it may be fewer: not all network namespaces could be searched. */
  readonly isBound: boolean;
}

/**
 * Compares the sessions that began before `count_until` with those that ended or are open.
 * @param mayGoOn whether it may search another network namespace
 * @returns undefined if the host refuses a walk
 */
export function countUnseen(program: KernelProgram, mayGoOn: () => boolean): Unseen | undefined {
  try {
    for (const walk of walksHere(program, "count")) walk.finish();
    const others = walksElsewhere(program, "count");
    let next: IteratorResult<Walk, boolean> | undefined;
    while (missing(program) > 0 && mayGoOn() && !(next = others.next()).done) next.value.finish();
    return { sessions: Math.max(0, missing(program)), isBound: next?.value !== true };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error; // the rest of the end matters more
    return undefined;
  }
}

/** Sessions that began, minus those that ended or were found open. */
function missing(program: KernelProgram): number {
  let missing = -program.get(BSS.still_open);
  for (let i = 0; i < TALLY.count; i++) {
    missing += BigInt.asIntN(64, program.get(BSS.tallies + i * TALLY.size + TALLY.open));
  }
  return Number(missing);
}

/** Rings that still have to be read after another program has taken over. */
import { join } from "node:path";
import { mapInfo } from "../../../ffi/map.ts";
import { Pinned, removePin } from "../../../ffi/pinned.ts";
import { Ring } from "../../../ffi/ring.ts";
import { Walk } from "../../../ffi/walk.ts";
import type { BSS } from "../../session/record_layout.ts";
import type { RecordTranslation } from "../../session/record_translation.ts";
import { type ClockHistory, readHistory } from "../clock_history.ts";
import { describedIn, Variables } from "./description.ts";
import {
  detach,
  linkOf,
  list,
  nameOfMap,
  nameOfRing,
  RELEASE,
  remove,
  ringSizeOf,
} from "./folder.ts";
import { WaitingReports } from "../waiting_reports.ts";

const LOSS_COUNTERS = [
  "lost_ring_full",
  "lost_storage_failed",
  "over_cap",
  "sampled_out",
  "skipped_runs",
] as const satisfies readonly (keyof typeof BSS)[];

/** Variables of `.bss` that count what is not delivered. */
export type LossCounter = typeof LOSS_COUNTERS[number];

/** A ring that no program writes to any more, and how its records are translated. */
export interface OldRing extends Disposable {
  readonly ring: Ring;
  /** Undefined for records of today's layout. */
  readonly translation: RecordTranslation | undefined;
  /** What was lost before, by names of BSS, if no other program continues to count. */
  readonly losses: ReadonlyMap<LossCounter, bigint>;
  /** What that version's runs knew of the clocks. */
  readonly clocks: ClockHistory;
  /**
   * Puts reports that wait for their sockets' close into it, as 0.1 does. True if there were any.
   */
  readonly release: () => boolean;
  /** Those reports, if they are not put into it. */
  readonly waitingReports: WaitingReports | undefined;
  /** Whether all of it was read: then disposing unpins it. */
  done: boolean;
}

/** A pinned ring from before its size was changed. */
export function ringOfSize(folder: string, size: number): OldRing {
  const path = join(folder, nameOfRing(size));
  return outgrownRing(openRing(path), () => removePin(path));
}

/**
 * A ring that one of another size has replaced. Programs, maps and counters belong to that one now.
 * @param unpin called when it is disposed of, if it is done
 */
export function outgrownRing(ring: Ring, unpin = () => {}): OldRing {
  return {
    ring,
    translation: undefined,
    losses: new Map(),
    clocks: [],
    release: () => false,
    waitingReports: undefined,
    done: false,
    [Symbol.dispose]() {
      ring[Symbol.dispose]();
      if (this.done) unpin();
    },
  };
}

/** Detaches the programs in the folder of another kind of state. @returns its rings */
export function retireState(folder: string): OldRing[] {
  const { translation, variables } = describedIn(folder);
  using stack = new DisposableStack();
  const names = list(folder);
  const releaseLink = names.find((name) => linkOf(name)?.program === RELEASE);
  const bss = stack.use(new Variables(join(folder, nameOfMap(".bss")), variables));
  const link = releaseLink === undefined
    ? undefined
    : stack.use(new Pinned(join(folder, releaseLink)));
  // the iterator writes a byte for each record
  const release = () => link !== undefined && Walk.of(link.fd).finish();
  const waiting = stack.use(new Pinned(join(folder, nameOfMap("waiting"))));
  const waitingReports = mapInfo(waiting.fd).isHash
    ? new WaitingReports(waiting.fd, translation)
    : undefined;
  bss.set("least_wait_ns", 1n); // they need not wait any longer, but may while the ring is full
  bss.set("active_generation", 0n); // detaching takes time: until then they stand by
  detach(folder);
  const rings = names.filter((name) => ringSizeOf(name) !== undefined);
  const shared = stack.move();
  return rings.map((name, i): OldRing => {
    const ring = openRing(join(folder, name));
    const isLast = i === rings.length - 1;
    return {
      ring,
      translation,
      losses: isLast
        ? new Map(LOSS_COUNTERS.map((counter) => [counter, bss.get(counter) ?? 0n]))
        : new Map(),
      clocks: readHistory((word) => bss.get("clock_readings", word)),
      release: isLast ? release : () => false,
      waitingReports: isLast ? waitingReports : undefined,
      done: false,
      [Symbol.dispose]() {
        ring[Symbol.dispose]();
        if (!isLast) return;
        shared.dispose();
        if (this.done) remove(folder);
      },
    };
  });
}

export function openRing(path: string): Ring {
  using map = new Pinned(path);
  return new Ring(map.fd, mapInfo(map.fd).maxEntries);
}

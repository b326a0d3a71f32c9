/** Reports of sessions that are open. */
import { bootTimeNs } from "../../ffi/clock.ts";
import { RECORD_HEADER } from "../../ffi/ring.ts";
import type { Walk } from "../../ffi/walk.ts";
import type { SessionBatch } from "../session/batch.ts";
import { BSS, RECORD } from "../session/record_layout.ts";
import type { Kernel } from "./kernel.ts";
import { walksElsewhere, walksHere } from "./walks.ts";

const MOST_AT_ONCE = 512; // records that a walk makes before the ring is read
const WALK_PAUSE_MS = 5; // between two readings, so that exporters keep pace
const STRIDE = RECORD_HEADER + RECORD.size; // of a record in the ring

/** What rounds work with. */
export interface RoundsContext {
  readonly kernel: Kernel;
  /** Reads all that is in the ring. @returns whether there was something */
  readonly read: () => Generator<SessionBatch, boolean, void>;
  /** Whether to continue walking. */
  readonly mayGoOn: () => boolean;
}

/** Has the kernel program walk over the open sockets, and reads what it makes of them. */
export class Rounds {
  readonly #context: RoundsContext;

  constructor(context: RoundsContext) {
    this.#context = context;
  }

  /** Reports the sessions that are open and due now. */
  async *report(): AsyncGenerator<SessionBatch, void, void> {
    this.#context.kernel.program.set(BSS.round_began_ns, bootTimeNs());
    yield* this.#reportHere();
  }

  /** Reports what is open when it begins, in all network namespaces. */
  async *reportAll(): AsyncGenerator<SessionBatch, void, void> {
    const { kernel: { program }, mayGoOn } = this.#context;
    program.set(BSS.round_began_ns, bootTimeNs());
    program.set(BSS.last_round, 1n);
    // a walk misses some while sockets come and go: repeat it until it finds nothing new
    while (mayGoOn() && (yield* this.#reportHere()));
    if (!mayGoOn()) return;
    for (const walk of walksElsewhere(program, "report")) {
      yield* this.#drain(walk);
      if (!mayGoOn()) return;
    }
  }

  /** @returns whether there were some */
  async *#reportHere(): AsyncGenerator<SessionBatch, boolean, void> {
    const { kernel, mayGoOn } = this.#context;
    let found = false;
    for (const walk of walksHere(kernel.program, "report")) {
      found = (yield* this.#drain(walk)) || found;
      if (!mayGoOn()) break;
    }
    return found;
  }

  /**
   * Lets a walk fill the ring, and reads it in between, so that it never overflows.
   * @returns whether its program made a record
   */
  async *#drain(walk: Walk): AsyncGenerator<SessionBatch, boolean, void> {
    using _owned = walk;
    const { kernel, read, mayGoOn } = this.#context;
    const most = Math.min(MOST_AT_ONCE, Math.floor(kernel.ring.size / 2 / STRIDE));
    let found = false;
    yield* read(); // room for what it makes
    while (mayGoOn() && walk.next(most) > 0) {
      found = true;
      yield* read();
      await new Promise((resolve) => setTimeout(resolve, WALK_PAUSE_MS));
    }
    return found;
  }
}

/** Leaves out what the kernel program let through to be on the safe side. */
import { endingOf } from "../session/ending.ts";
import { FLAG, RECORD } from "../session/record_layout.ts";
import type { SamplingOptions } from "../ids/sampling.ts";
import { Session } from "../session/session.ts";
import { UnixTime } from "../bytes/unix_time.ts";

const WORD = 2 ** 32;
const NS_PER_MS = 1_000_000;

/** Which sessions are wanted. */
export interface SelectionOptions {
  readonly minBytes?: number;
  /** Milliseconds. */
  readonly minDuration?: number;
  readonly sampling?: SamplingOptions | undefined;
  /** Process ids; empty: any. */
  readonly pids?: readonly number[];
  /** Not empty: the kernel program's mark of excluded owners counts. */
  readonly excludeExecutables?: readonly string[];
  readonly excludeCgroups?: readonly string[];
}

/** Removes sessions from batches. */
export class Selection {
  readonly #minBytes: number;
  readonly #minDurationNs: number;
  readonly #sampling: boolean;
  readonly #pids: ReadonlySet<number>;
  readonly #excludesOwners: boolean;
  readonly #start = new UnixTime();
  readonly #end = new UnixTime();
  #sampledOut = 0;

  constructor(options: SelectionOptions) {
    const { minBytes = 0, minDuration = 0, sampling, pids = [] } = options;
    const { excludeExecutables = [], excludeCgroups = [] } = options;
    this.#minBytes = minBytes;
    this.#minDurationNs = minDuration * NS_PER_MS;
    this.#sampling = sampling?.keepErrors === true; // else the kernel decides it all
    this.#pids = new Set(pids);
    this.#excludesOwners = excludeExecutables.length + excludeCgroups.length > 0;
  }

  /** Sessions that sampling did not keep, because they are not failures. */
  get sampledOut(): number {
    return this.#sampledOut;
  }

  /**
   * Moves those of the first `count` records in `words` that are wanted to the front.
   * @returns how many there are
   */
  apply(words: Int32Array<ArrayBuffer>, count: number): number {
    if (this.#minBytes === 0 && this.#minDurationNs === 0 && !this.#sampling) return count;
    return keep(words, count, (session) => this.#wants(session));
  }

  /** The same by their owners only, for records that the kernel program did not filter. */
  applyToOwners(words: Int32Array<ArrayBuffer>, count: number): number {
    if (this.#pids.size === 0 && !this.#excludesOwners) return count;
    const bytes = new Uint8Array(words.buffer);
    return keep(words, count, ({ pid }, i) => {
      const excluded = bytes[i * RECORD.size + RECORD.owner_excluded] !== 0;
      if (this.#excludesOwners && excluded) return false;
      return this.#pids.size === 0 || pid !== undefined && this.#pids.has(pid);
    });
  }

  #wants(session: Session): boolean {
    if (session.txBytes + session.rxBytes < this.#minBytes) return false;
    if (this.#minDurationNs > 0 && !this.#isLongEnough(session)) return false;
    if (!this.#sampling || session.has(FLAG.SAMPLED)) return true;
    if (session.interim === 0 && endingOf(session).error !== undefined) return true;
    this.#sampledOut++;
    return false;
  }

  #isLongEnough(session: Session): boolean {
    session.readStart(this.#start);
    session.readEnd(this.#end);
    const ns = this.#minDurationNs;
    this.#start.add(ns % WORD | 0, Math.floor(ns / WORD));
    return !this.#end.isBefore(this.#start);
  }
}

/** Moves the records in `words` that are wanted to the front. @returns how many there are */
function keep(
  words: Int32Array<ArrayBuffer>,
  count: number,
  wants: (session: Session, index: number) => boolean,
): number {
  const session = new Session(new Uint8Array(words.buffer));
  const length = RECORD.size / 4;
  let left = 0;
  for (let i = 0; i < count; i++) {
    if (!wants(session.moveTo(i), i)) continue;
    if (left < i) words.copyWithin(left * length, i * length, (i + 1) * length);
    left++;
  }
  return left;
}

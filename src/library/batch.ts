/** Batches of sessions, as programs get them. */
import { SessionBatch as RecordBatch } from "../session/batch.ts";
import { RECORD } from "../session/record_layout.ts";
import { recordOf } from "./record.ts";
import type { Session, SessionData, SessionJson } from "./session.ts";
import { type Lease, SessionView } from "./view.ts";

/**
 * Sessions that ended at about the same time, in the order in which they ended on each CPU. It and
 * the sessions in it can be read until the batch is given up: disposing of it does that.
 */
export interface SessionBatch extends Iterable<Session>, Disposable {
  /** Number of sessions. */
  readonly length: number;
  /**
   * The session at `index`, from 0.
   * @throws {RangeError} if there is none
   */
  at(index: number): Session;
}

/** A batch on records. */
export class BatchView implements SessionBatch {
  readonly #records: RecordBatch;
  readonly #lease: Lease = { isGivenUp: false };

  /** @param records belong to this batch from now on, and are disposed of with it */
  constructor(records: RecordBatch) {
    this.#records = records;
  }

  get length(): number {
    return this.#records.length;
  }

  at(index: number): Session {
    this.#check();
    if (!(Number.isInteger(index) && index >= 0 && index < this.length)) {
      throw new RangeError(`cannot find session ${index}: the batch has ${this.length}, from 0 on`);
    }
    return new SessionView(record(this.#records, index), this.#lease);
  }

  *[Symbol.iterator](): IterableIterator<Session> {
    this.#check();
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  [Symbol.dispose](): void {
    this.#lease.isGivenUp = true; // first: others may use the memory at once
    this.#records[Symbol.dispose]();
  }

  /** The records of `batch`. @throws {TypeError} if tcpspan did not make it, or it was given up */
  static recordsOf(batch: SessionBatch): RecordBatch {
    if (typeof batch !== "object" || batch === null || !(#records in batch)) {
      throw new TypeError(
        "cannot use what is no batch of tcpspan's: batchOf(sessions) makes one of sessions",
      );
    }
    batch.#check();
    return batch.#records;
  }

  #check(): void {
    if (!this.#lease.isGivenUp) return;
    throw new TypeError(
      "cannot read a batch that was given up, as it is when the next one is asked for: keep what " +
        "session.toObject() gives of each session instead",
    );
  }
}

/**
 * A session of plain data: what {@linkcode Session.toObject} gave, the same read back from JSON, or
 * for a test only what matters there. What is not given is filled in to fit: 12 ms, from 127.0.0.1 to
 * its port 443, no payload, no process, closed in order by this end. It is never given up.
 * @throws {TypeError} if a member is unknown or of the wrong type, {RangeError} if the kernel has no
 * such value, or it contradicts the others, as a `durationUs` that is not from start to end
 *
 * @example A session that was refused
 * ```ts
 * import { sessionOf } from "@tcpspan/tcpspan";
 * import assert from "node:assert/strict";
 *
 * const session = sessionOf({ peerPort: 5432, lastState: "syn_sent", errno: 111 });
 * assert.equal(session.ending?.reason, "refused");
 * assert.deepEqual(sessionOf(session.toObject()).toObject(), session.toObject());
 * ```
 */
export function sessionOf(data: Partial<SessionData | SessionJson> = {}): Session {
  return batchOf([data]).at(0);
}

/**
 * A batch of sessions, as {@linkcode Exporter}s get them: made of sessions of other batches, to hand
 * on some of them, or of plain data as {@linkcode sessionOf} takes it. All are copied.
 * @throws what `sessionOf` throws
 */
export function batchOf(
  sessions: Iterable<Session | Partial<SessionData | SessionJson>>,
): SessionBatch {
  const records = Array.from(sessions, bytesOf);
  const bytes = new Uint8Array(records.length * RECORD.size);
  records.forEach((record, index) => bytes.set(record, index * RECORD.size));
  return new BatchView(new RecordBatch(bytes));
}

function bytesOf(session: Session | Partial<SessionData | SessionJson>): Uint8Array<ArrayBuffer> {
  if (session instanceof SessionView) return SessionView.bytesOf(session);
  if (typeof session !== "object" || session === null) {
    throw new TypeError(`cannot make a session of ${String(session)}: expected an object`);
  }
  // a session of another copy of tcpspan, which a module may have loaded, hides its record
  return recordOf("toObject" in session ? session.toObject() : session);
}

function record({ bytes }: RecordBatch, index: number): Uint8Array<ArrayBuffer> {
  return bytes.subarray(index * RECORD.size, (index + 1) * RECORD.size);
}

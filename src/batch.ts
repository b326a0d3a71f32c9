/** Raw records as they left the ring, and the sessions in them. */
import { RECORD } from "./record_layout.ts";
import { Session } from "./session.ts";

/**
 * A number of records, one behind the other, each `RECORD.size` bytes. The unit that travels from
 * the ring to the exporters. Its bytes are never written again once it has been handed on, so that
 * exporters can share it.
 */
export class SessionBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;

  /** @param bytes whole records: a length that is a multiple of `RECORD.size` */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    if (bytes.length % RECORD.size !== 0) {
      throw new RangeError(
        `cannot make a batch: ${bytes.length} bytes are no multiple of ${RECORD.size}`,
      );
    }
    this.bytes = bytes;
  }

  /** Number of sessions. */
  get length(): number {
    return this.bytes.length / RECORD.size;
  }

  /** A view on the session at `index`; `Session.moveTo` moves it along without another allocation. */
  at(index: number): Session {
    return new Session(this.bytes).moveTo(index);
  }

  /** Each session in turn, each a view of its own. */
  *[Symbol.iterator](): IterableIterator<Session> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  /** The sessions from `start` (inclusive) to `end` (exclusive), on the same bytes. */
  slice(start: number, end: number): SessionBatch {
    return new SessionBatch(this.bytes.subarray(start * RECORD.size, end * RECORD.size));
  }

  /** The sessions of several batches in one, copied unless there is only one. */
  static concat(batches: readonly SessionBatch[]): SessionBatch {
    const [first] = batches;
    if (first !== undefined && batches.length === 1) return first;
    const bytes = new Uint8Array(batches.reduce((sum, batch) => sum + batch.bytes.length, 0));
    let offset = 0;
    for (const batch of batches) {
      bytes.set(batch.bytes, offset);
      offset += batch.bytes.length;
    }
    return new SessionBatch(bytes);
  }
}

/** Records that wait, in memory that is used again. */
import { SessionBatch } from "../batch.ts";
import { RECORD } from "../record_layout.ts";

/** Memory of `capacity` records, some of them filled. */
interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly capacity: number;
  /** Sessions in it. */
  length: number;
}

/** First in, first out, by batches: records are copied in, and handed out where they lie. */
export class RecordStore {
  /** Sessions in a batch at most, of those that begin from now on. */
  capacity: number;
  readonly #mostFree: number;
  readonly #chunks: Chunk[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;

  /**
   * @param capacity sessions in a batch at most
   * @param mostFree batches for which memory is kept while nothing waits
   */
  constructor(capacity: number, mostFree: number) {
    this.capacity = capacity;
    this.#mostFree = mostFree;
  }

  /** Sessions that wait. */
  get length(): number {
    return this.#length;
  }

  /** Copies the first `count` sessions of `batch`. */
  push({ bytes }: SessionBatch, count: number): void {
    for (let done = 0; done < count;) {
      const chunk = this.#tail();
      const some = Math.min(count - done, chunk.capacity - chunk.length);
      const part = bytes.subarray(done * RECORD.size, (done + some) * RECORD.size);
      chunk.bytes.set(part, chunk.length * RECORD.size);
      chunk.length += some;
      done += some;
    }
    this.#length += count;
  }

  /** Takes the sessions that came first, at most a batch of them; none if none wait. */
  take(): SessionBatch {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return new SessionBatch(new Uint8Array());
    this.#length -= chunk.length;
    return new SessionBatch(chunk.bytes.subarray(0, chunk.length * RECORD.size));
  }

  /** Takes the memory of a batch back that `take` gave: nobody may read it any more. */
  recycle({ bytes }: SessionBatch): void {
    if (this.#free.length < this.#mostFree) this.#free.push(new Uint8Array(bytes.buffer));
  }

  /** A chunk with room. */
  #tail(): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length < last.capacity) return last;
    const { capacity } = this;
    const size = capacity * RECORD.size;
    const free = this.#free.pop();
    const bytes = free?.length === size ? free : new Uint8Array(size);
    const chunk = { bytes, capacity, length: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }
}

/** Records that wait in memory. */
import { SessionBatch } from "../session/batch.ts";
import { RECORD } from "../session/record_layout.ts";
import type { BatchMemory } from "./batch_memory.ts";

/** Memory of a batch, in part filled. */
interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Sessions in it. */
  length: number;
}

/** First in, first out, by batches: records are copied in, and handed out in place. */
export class RecordStore {
  readonly #memory: BatchMemory;
  readonly #chunks: Chunk[] = [];
  #length = 0;

  /** @param memory where the records go; whoever is done with a batch gives its bytes back to it */
  constructor(memory: BatchMemory) {
    this.#memory = memory;
  }

  /** Sessions that wait. */
  get length(): number {
    return this.#length;
  }

  /** Copies all of `batch`. */
  push({ bytes, length }: SessionBatch): void {
    for (let done = 0; done < length;) {
      const chunk = this.#tail();
      const some = Math.min(length - done, this.#memory.capacity - chunk.length);
      const part = bytes.subarray(done * RECORD.size, (done + some) * RECORD.size);
      chunk.bytes.set(part, chunk.length * RECORD.size);
      chunk.length += some;
      done += some;
    }
    this.#length += length;
  }

  /** Takes the sessions that came first, at most a batch of them; none if none wait. */
  take(): SessionBatch {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return new SessionBatch(new Uint8Array());
    this.#length -= chunk.length;
    return new SessionBatch(chunk.bytes.subarray(0, chunk.length * RECORD.size));
  }

  /** A chunk with room. */
  #tail(): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length < this.#memory.capacity) return last;
    const chunk = { bytes: this.#memory.take(), length: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }
}

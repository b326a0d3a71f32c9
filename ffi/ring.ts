/** A BPF ring buffer, mapped into this process and read in place. */
import { duplicate, libc } from "./libc.ts";
import { Mapping } from "./mapping.ts";

// include/uapi/linux/bpf.h: each record has a header of a length word and a page offset
/** Bytes before each record. */
export const RECORD_HEADER = 8;
const BUSY = 1 << 31;
const DISCARD = 1 << 30;

/**
 * The consumer's side of a `BPF_MAP_TYPE_RINGBUF`, as kernel/bpf/ringbuf.c lays it out: a page with
 * the consumer's position, a page with the producer's, and the data. A record that reaches the end
 * of the data continues at their beginning. There is one consumer: open it once. What is read stays
 * in the ring until `release()`, so that whoever opens it after a crash reads it again.
 */
export class Ring implements Disposable {
  readonly #consumerPage: Mapping;
  readonly #producerPages: Mapping;
  #consumer: BigUint64Array;
  #producer: BigUint64Array;
  #data: Int32Array;
  readonly #mask: number;
  #closed = false;
  #position: number; // bytes read since the ring was made; exact to 2^53

  /** Becomes readable when a record is finished and all before it were released. */
  readonly fd: number;

  /** @param fd the map's descriptor, which is duplicated; @param size its data in bytes */
  constructor(fd: number, readonly size: number) {
    const page = libc().getpagesize();
    using onFailure = new DisposableStack();
    this.fd = duplicate(fd);
    onFailure.defer(() => libc().close(this.fd));
    this.#consumerPage = onFailure.use(new Mapping(fd, page, "read-write"));
    this.#producerPages = new Mapping(fd, page + size, "read", page);
    onFailure.move();
    this.#consumer = new BigUint64Array(this.#consumerPage.buffer, 0, 1);
    this.#producer = new BigUint64Array(this.#producerPages.buffer, 0, 1);
    this.#data = new Int32Array(this.#producerPages.buffer, page, size / 4);
    this.#mask = size - 1;
    this.#position = Number(Atomics.load(this.#consumer, 0));
  }

  /** Bytes that were read since the ring was made, headers included; exact to 2^53. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that wait to be read, headers and unfinished records included. */
  get waiting(): number {
    return Number(Atomics.load(this.#producer, 0)) - this.#position;
  }

  /**
   * Copies finished records into `target`, one after the other, from where the last call stopped.
   * @param target room for whole records
   * @param recordSize bytes of a record, a multiple of 8; records of another size are skipped
   * @returns number of records copied; fewer than fit means that the ring is empty for now
   */
  read(target: Int32Array, recordSize: number): number {
    const data = this.#data;
    const words = recordSize >> 2;
    const capacity = Math.floor(target.length / words);
    const produced = Number(Atomics.load(this.#producer, 0));
    let position = this.#position;
    let count = 0;
    while (position < produced && count < capacity) {
      const at = (position & this.#mask) >>> 2;
      const header = Atomics.load(data, at);
      if (header & BUSY) break;
      const length = header & ~(BUSY | DISCARD);
      if (!(header & DISCARD) && length === recordSize) {
        this.#copy(at + (RECORD_HEADER >> 2), target, count * words, words);
        count++;
      }
      position += RECORD_HEADER + (length + 7 & ~7);
    }
    this.#position = position;
    return count;
  }

  /** Gives the room of all that was read back to the kernel. */
  release(): void {
    Atomics.store(this.#consumer, 0, BigInt(this.#position));
  }

  /** Copies `count` words from `from` on, and after the end from the beginning. */
  #copy(from: number, target: Int32Array, to: number, count: number): void {
    const data = this.#data;
    const first = Math.min(count, Math.max(data.length - from, 0));
    for (let i = 0; i < first; i++) target[to + i] = data[from + i] ?? 0;
    const rest = from + first - data.length;
    for (let i = first; i < count; i++) target[to + i] = data[rest + i - first] ?? 0;
  }

  [Symbol.dispose](): void {
    // a view used after munmap is a segmentation fault; an empty one is a RangeError
    this.#consumer = this.#producer = new BigUint64Array();
    this.#data = new Int32Array();
    if (this.#closed) return;
    this.#closed = true;
    this.#producerPages[Symbol.dispose]();
    this.#consumerPage[Symbol.dispose]();
    libc().close(this.fd);
  }
}

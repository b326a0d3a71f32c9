/** A BPF ring buffer, mapped into this process and read in place. */
import { libc } from "./libc.ts";
import { Mapping } from "./mapping.ts";

// include/uapi/linux/bpf.h: each record has a header of a length word and a page offset
const HEADER_SIZE = 8;
const BUSY = 1 << 31;
const DISCARD = 1 << 30;

/**
 * The consumer's side of a `BPF_MAP_TYPE_RINGBUF`, as kernel/bpf/ringbuf.c lays it out: a page with
 * the consumer's position, a page with the producer's, and the data, in which a record may go on at the
 * beginning. There is one consumer: open it once.
 */
export class Ring implements Disposable {
  readonly #consumerPage: Mapping;
  readonly #producerPages: Mapping;
  #consumer: BigUint64Array;
  #producer: BigUint64Array;
  #data: Int32Array;
  readonly #mask: number;
  #position: number; // bytes consumed since the ring was made; exact to 2^53

  /** @param fd the map's descriptor; @param size its data in bytes */
  constructor(readonly fd: number, readonly size: number) {
    const page = libc().getpagesize();
    this.#consumerPage = new Mapping(fd, page, "read-write");
    try {
      this.#producerPages = new Mapping(fd, page + size, "read", page);
    } catch (error) {
      this.#consumerPage[Symbol.dispose]();
      throw error;
    }
    this.#consumer = new BigUint64Array(this.#consumerPage.buffer, 0, 1);
    this.#producer = new BigUint64Array(this.#producerPages.buffer, 0, 1);
    this.#data = new Int32Array(this.#producerPages.buffer, page, size / 4);
    this.#mask = size - 1;
    this.#position = Number(Atomics.load(this.#consumer, 0));
  }

  /** Bytes that were read since the ring was made, headers included; exact to 2^53. */
  get consumed(): number {
    return this.#position;
  }

  /** Bytes that wait to be read, headers and unfinished records included. */
  get waiting(): number {
    return Number(Atomics.load(this.#producer, 0)) - this.#position;
  }

  /**
   * Copies finished records into `target`, one behind the other, and gives their room in the ring
   * back once they are copied.
   * @param target room for whole records
   * @param recordSize bytes of a record, a multiple of 8; records of another size are passed over
   * @returns number of records copied; less than fit means that the ring is empty for now
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
        this.#copy(at + (HEADER_SIZE >> 2), target, count * words, words);
        count++;
      }
      position += HEADER_SIZE + (length + 7 & ~7);
    }
    if (position !== this.#position) {
      this.#position = position;
      Atomics.store(this.#consumer, 0, BigInt(position));
    }
    return count;
  }

  /** Copies `count` words that begin at `from`, or at the beginning if that is the end. */
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
    this.#producerPages[Symbol.dispose]();
    this.#consumerPage[Symbol.dispose]();
  }
}

/**
 * `delivered`: the place in a spool before which everything is done.
 *
 * | offset | bytes | what                                               |
 * | ------ | ----- | -------------------------------------------------- |
 * | 0      | 8     | id of the segment; those before it are gone        |
 * | 8      | 8     | offset of a frame in it                            |
 * | 16     | 4     | sessions of this frame that are done               |
 * | 20     | 4     | CRC-32 of all before                               |
 */
import { crc32 } from "node:zlib";
import { readAt, writeAt } from "./files.ts";

const SIZE = 24;
const CHECKED = 20;

/** What the file says. */
export interface Delivered {
  /** The segment's id, in hex. */
  readonly id: string;
  readonly offset: number;
  readonly sessions: number;
}

/** The file. One that is missing or torn costs duplicates and loses nothing. */
export class Cursor implements Disposable {
  readonly #path: string;
  readonly #bytes = new Uint8Array(SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #file: Deno.FsFile | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** What was written last; undefined if that cannot be read. */
  read(): Delivered | undefined {
    try {
      using file = Deno.openSync(this.#path);
      if (readAt(file, 0, this.#bytes) < SIZE) return undefined;
    } catch {
      return undefined;
    }
    if (crc32(this.#bytes.subarray(0, CHECKED)) !== this.#view.getUint32(CHECKED, true)) {
      return undefined;
    }
    return {
      id: this.#bytes.subarray(0, 8).toHex(),
      offset: Number(this.#view.getBigUint64(8, true)),
      sessions: this.#view.getUint32(16, true),
    };
  }

  /** @throws an error of the operating system */
  write({ id, offset, sessions }: Delivered): void {
    this.#bytes.setFromHex(id);
    this.#view.setBigUint64(8, BigInt(offset), true);
    this.#view.setUint32(16, sessions, true);
    this.#view.setUint32(CHECKED, crc32(this.#bytes.subarray(0, CHECKED)), true);
    this.#file ??= Deno.openSync(this.#path, { create: true, write: true, mode: 0o600 });
    writeAt(this.#file, 0, this.#bytes);
  }

  /** Closes the file, which the next `write` opens again. */
  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** A file of a spool: a header, then frames. */
import { bootId } from "../../host/procfs.ts";
import type { RecordTranslation } from "../../session/record_translation.ts";
import { isSystemError } from "../../messages/system_error.ts";
import { FRAME_HEADER, sealedSessions } from "./frame.ts";
import { FrameReader, type FrameSource } from "./frame_reader.ts";
import { readAt, writeAt } from "./files.ts";
import { LARGEST_HEADER, makeHeader, readHeader, type SegmentHeader } from "./segment_header.ts";

const MODE = 0o600; // who talks with whom is private

/** A segment, and what is known of it. Its file is open only while it is written or read. */
export class Segment implements FrameSource {
  readonly path: string;
  readonly id: string;
  /** Where the first frame begins. */
  readonly begin: number;
  readonly translation: RecordTranslation;
  /** CRC-32 of its layout's text. */
  readonly layout: number;
  /** Whether the host was started again since its sessions were recorded. */
  readonly isOfEarlierBoot: boolean;
  /** The place before which all is done: a frame's offset, and sessions of it that are done. */
  start: { readonly offset: number; readonly sessions: number };
  /** Bytes that count; while it is written, those of whole frames. */
  size: number;
  /** Sessions in it that nobody has taken yet. */
  waiting = 0;
  /** Sessions in it that were taken, and left for the next run. */
  left = 0;
  /** Batches under way that have sessions of it. */
  underWay = 0;
  /** Whether all of it was taken. */
  isTaken = false;
  /** Whether a part of a write that failed may be behind the last frame. */
  #isTorn = false;
  readonly #inode: number | null;
  #file: Deno.FsFile | undefined;

  private constructor(path: string, header: SegmentHeader, { size, ino }: Deno.FileInfo) {
    this.path = path;
    this.id = header.id;
    this.begin = header.size;
    this.start = { offset: header.size, sessions: 0 };
    this.translation = header.translation;
    this.layout = header.layout;
    this.isOfEarlierBoot = header.boot !== bootId();
    this.size = size;
    this.#inode = ino;
  }

  /** Begins a segment in a new file. @throws an error of the operating system */
  static create(path: string): Segment {
    const bytes = makeHeader(crypto.getRandomValues(new Uint8Array(8)).toHex(), bootId());
    const header = readHeader(bytes);
    if (typeof header === "string") throw new TypeError(`cannot make a segment: ${header}`);
    const file = Deno.openSync(path, { createNew: true, read: true, write: true, mode: MODE });
    try {
      writeAt(file, 0, bytes);
      const segment = new Segment(path, header, file.statSync());
      segment.#file = file;
      return segment;
    } catch (error) {
      file.close();
      Deno.removeSync(path);
      throw error;
    }
  }

  /**
   * A segment that is there.
   * @returns in words why it cannot be used, if it cannot; undefined for an empty file, which a run
   * leaves that is killed just then
   * @throws an error of the operating system
   */
  static find(path: string): Segment | string | undefined {
    using file = Deno.openSync(path);
    const { isFile, size } = file.statSync();
    if (isFile && size === 0) return undefined;
    const bytes = new Uint8Array(LARGEST_HEADER);
    const header = readHeader(bytes.subarray(0, readAt(file, 0, bytes)));
    return typeof header === "string" ? header : new Segment(path, header, file.statSync());
  }

  /** Of one record, in bytes. */
  get recordSize(): number {
    return this.translation.sourceSize;
  }

  /** @throws an error of the operating system */
  readAt(position: number, target: Uint8Array): number {
    return readAt(this.#open(), position, target);
  }

  /** Appends a frame or a seal: all of it or nothing. @throws an error of the operating system */
  append(bytes: Uint8Array): void {
    const file = this.#open();
    if (this.#isTorn) this.#cutOff(file);
    try {
      writeAt(file, this.size, bytes);
    } catch (error) {
      this.#isTorn = true;
      try {
        this.#cutOff(file);
      } catch {
        // the next append tries again, or a start does
      }
      throw error;
    }
    this.size += bytes.length;
  }

  /** Takes back a failed write: a start could mistake what two of them left for a damaged frame. */
  #cutOff(file: Deno.FsFile): void {
    file.truncateSync(this.size);
    this.#isTorn = false;
  }

  /** Whether its path has no file any more, or another one; no later run finds it then. */
  get isGone(): boolean {
    try {
      return Deno.lstatSync(this.path).ino !== this.#inode;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    }
  }

  /** Sessions in it by its seal; undefined if it has none. @throws as `readAt` */
  sealed(): number | undefined {
    if (this.size < this.begin + FRAME_HEADER) return undefined;
    const seal = new Uint8Array(FRAME_HEADER);
    const read = this.readAt(this.size - FRAME_HEADER, seal);
    const sessions = read === FRAME_HEADER ? sealedSessions(seal) : undefined;
    const most = (this.size - this.begin) / this.recordSize;
    return sessions !== undefined && sessions <= most ? sessions : undefined;
  }

  /**
   * Counts the sessions from `from` on, those of damaged frames too, and cuts off what a crash left
   * behind the last frame.
   * @param window memory of `WINDOW` bytes
   * @returns sessions, and bytes that were cut
   * @throws an error of the operating system
   */
  walk(window: Uint8Array<ArrayBuffer>, from: number): { sessions: number; cut: number } {
    const reader = new FrameReader(this, window, from);
    let sessions = 0;
    let tail = this.size;
    for (let found = reader.next(); found !== "end"; found = reader.next()) {
      if (found === "damage" && reader.position >= this.size && !reader.isWrongInPlace) {
        tail = reader.offset;
        break;
      }
      sessions += found === "frame" ? reader.payload.length / this.recordSize : reader.lostSessions;
    }
    const cut = this.size - tail;
    if (cut > 0) {
      this.size = tail;
      try {
        Deno.truncateSync(this.path, tail);
      } catch (error) {
        if (!isSystemError(error)) throw error; // a read-only disk: only `size` is cut then
      }
    }
    return { sessions, cut };
  }

  /** Writes what is still in the system's memory to the disk. @throws as `readAt` */
  async flush(): Promise<void> {
    using file = await Deno.open(this.path); // another descriptor: this one may be read meanwhile
    await file.syncData();
  }

  /** Closes the file. It is opened again when it is needed. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Removes the file, unless it is another by now. @throws an error of the operating system */
  remove(): void {
    this.close();
    if (!this.isGone) Deno.removeSync(this.path);
  }

  #open(): Deno.FsFile {
    return this.#file ??= Deno.openSync(this.path);
  }
}

/** The folder of one exporter's spool: only its own, and used by one process at a time. */
import { join } from "node:path";
import { UsageError } from "../../messages/errors.ts";
import { isSystemError, systemReason } from "../../messages/system_error.ts";
import { Cursor } from "./cursor.ts";

const MODE = 0o700;
const OTHERS_MAY_WRITE = 0o022;
const STICKY = 0o1000;
const LOCK = "lock";
const CURSOR = "delivered";
const SEGMENT = /^(\d{16})\.seg$/;
const LARGEST_NUMBER = 9e15; // exact as a number

/** A name of 16 digits, so that the order of names is that of segments. */
function segmentName(number: number): string {
  return `${String(number).padStart(16, "0")}.seg`;
}

/** Its parts: `lock`, `delivered` (see cursor.ts), and segments. */
export class SpoolFolder implements Disposable {
  readonly path: string;
  readonly cursor: Cursor;
  #lock: Deno.FsFile;
  #next = 1;

  /**
   * Makes the folder if it is not there yet, and locks it.
   * @param storage the folder above, which is made if its own parent is there
   * @param exporter its id
   * @throws {UsageError} if it cannot be used
   */
  constructor(storage: string, exporter: string) {
    this.path = pathOf(storage, exporter);
    this.cursor = new Cursor(join(this.path, CURSOR));
    try {
      makeFolder(storage);
      this.#lock = this.#enter();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new UsageError(`cannot use ${this.path}: ${reasonOf(error, storage)}`);
    }
  }

  /**
   * For `config check`: makes and opens nothing.
   * @throws {UsageError} if no folder can be there, whoever makes it
   */
  static check(storage: string): void {
    if (kindOf(storage) === "other") {
      throw new UsageError(`cannot use ${storage}: it is not a folder`);
    }
    if (kindOf(join(storage, "..")) === "nothing") {
      throw new UsageError(
        `cannot use ${storage}: ${reasonOf(new Deno.errors.NotFound(), storage)}`,
      );
    }
  }

  /** For `doctor`: makes and locks it, and removes again what that made. @throws as the constructor */
  static probe(storage: string, exporter: string): void {
    const path = pathOf(storage, exporter);
    const made = [join(path, LOCK), path, storage].filter((each) => !isThere(each));
    let entered: SpoolFolder | undefined;
    try {
      entered = new SpoolFolder(storage, exporter);
    } finally {
      for (const each of made) if (isThere(each)) Deno.removeSync(each);
      entered?.[Symbol.dispose]();
    }
  }

  /** Path of the next segment, which comes after all others. */
  nextSegment(): string {
    return join(this.path, segmentName(this.#next++));
  }

  /** Paths of the segments, in their order, and of everything else there, which is not ours. */
  list(): { segments: string[]; others: string[] } {
    const segments: string[] = [];
    const others: string[] = [];
    for (const { name, isFile } of Deno.readDirSync(this.path)) {
      const number = Number(SEGMENT.exec(name)?.[1]);
      const isOurs = number <= LARGEST_NUMBER;
      if (isOurs) this.#next = Math.max(this.#next, number + 1);
      if (isOurs && isFile) segments.push(join(this.path, name));
      else if (name !== LOCK && name !== CURSOR) others.push(join(this.path, name));
    }
    return { segments: segments.sort(), others: others.sort() };
  }

  /**
   * Makes the folder again after somebody has removed it.
   * @throws an error of the operating system, {@linkcode UsageError} if somebody else has it now
   */
  restore(): void {
    makeFolder(join(this.path, ".."));
    const lock = this.#enter();
    this.#lock.close();
    this.#lock = lock;
    this.cursor[Symbol.dispose](); // its file went with the folder
  }

  [Symbol.dispose](): void {
    this.cursor[Symbol.dispose]();
    this.#lock.close(); // which unlocks it
  }

  #enter(): Deno.FsFile {
    makeFolder(this.path);
    const own = Deno.lstatSync(this.path);
    if (!own.isDirectory) throw new UsageError(`cannot use ${this.path}: it is not a folder`);
    const storage = join(this.path, "..");
    const above = Deno.statSync(storage);
    const isOwn = own.uid === Deno.uid() && !has(own, OTHERS_MAY_WRITE);
    // whoever may rename what is in it could put another folder here
    const isSafe = (above.uid === Deno.uid() || above.uid === 0) &&
      (!has(above, OTHERS_MAY_WRITE) || has(above, STICKY));
    if (!isOwn || !isSafe) {
      throw new UsageError(
        `cannot use ${this.path}: others may write ${isSafe ? "it" : storage}: ` +
          `chown it to user ${Deno.uid()}, chmod it to 700`,
      );
    }
    const path = join(this.path, LOCK);
    const lock = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
    if (lock.tryLockSync(true)) return lock;
    lock.close();
    throw new UsageError(
      `cannot use ${this.path}: another tcpspan uses it: stop it, or name another folder`,
    );
  }
}

function pathOf(storage: string, exporter: string): string {
  // an id may be any text without spaces, such as `..`
  return join(storage, encodeURIComponent(exporter.toWellFormed()).replace(/^\./, "%2E"));
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound); // after another error it may be there
  }
}

/** What a path leads to; a place that may not be seen counts as a folder. */
function kindOf(path: string): "folder" | "other" | "nothing" {
  try {
    return Deno.statSync(path).isDirectory ? "folder" : "other";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "nothing" : "folder";
  }
}

function has({ mode }: Deno.FileInfo, bits: number): boolean {
  return ((mode ?? 0) & bits) !== 0;
}

function makeFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { mode: MODE });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

function reasonOf(error: Error, storage: string): string {
  if (error instanceof Deno.errors.NotFound) {
    return `there is no folder ${join(storage, "..")}: create it, or name another`;
  }
  return `${systemReason(error)}: name a folder that can be written, or change who may write it`;
}

/** A file that is put aside when it is full, as lumberjack does it for the Collector. */
import { basename, dirname, extname } from "node:path";
import { Buffer } from "node:buffer";
import { isSystemError, systemReason } from "../../src/messages/system_error.ts";
import { targetOf } from "../../src/host/link_target.ts";

/** When a file is put aside, and which of those files are kept. */
export interface Rotation {
  /** Bytes that a file holds at most; Infinity: it is never put aside. */
  readonly maxBytes: number;
  /** How many files that were put aside are kept; 0: all. */
  readonly maxBackups: number;
  /** Days that they are kept; 0: for ever. */
  readonly maxDays: number;
}

/** How a {@linkcode RotatingFile} is opened. */
export interface RotatingFileOptions {
  /** Whether to append to a file that exists, rather than empty it. */
  readonly append: boolean;
  readonly rotation: Rotation;
  /** Whether each write is lines of text; else it is a frame of some compression. */
  readonly text: boolean;
  /** Warns the user. */
  readonly warn: (message: string) => void;
}

const MODE = 0o600; // who talks with whom is nobody else's business
const DAY_MS = 24 * 60 * 60 * 1000;
const LINE_FEED = Buffer.from("\n");

/**
 * Appends to a file. When the next write would make it too large, it is renamed to
 * `NAME-2026-11-23T20-16-21.123.EXT` (the time is UTC) and a new one is started. Somebody else may
 * rename, remove or empty it, as logrotate does: each write goes to what is at the path then. If
 * that is a symbolic link, it stays: what it leads to is renamed, and started again.
 */
export class RotatingFile {
  readonly #path: string;
  readonly #options: RotatingFileOptions;
  #file: Deno.FsFile | undefined;
  #identity: Pick<Deno.FileInfo, "dev" | "ino"> | undefined;
  #size = 0;
  /** Whether the file ends in the middle of a line or frame. */
  #torn = false;

  private constructor(path: string, options: RotatingFileOptions) {
    this.#path = path;
    this.#options = options;
  }

  /**
   * Opens the file at `path`, or creates it.
   * @throws an error of the operating system
   */
  static async open(path: string, options: RotatingFileOptions): Promise<RotatingFile> {
    const file = new RotatingFile(path, options);
    await file.#open(!options.append);
    await file.#prune();
    return file;
  }

  /**
   * Appends `bytes`, all of them or none.
   * @throws an error of the operating system; the same write may succeed later
   */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#closeIfMoved();
    let file = this.#file ?? await this.#open(false);
    const full = this.#size > 0 && this.#size + bytes.length > this.#options.rotation.maxBytes;
    if (full || (this.#torn && !this.#options.text)) file = await this.#rotate();
    else if (this.#torn) bytes = Buffer.concat([LINE_FEED, bytes]);
    let written = 0;
    try {
      while (written < bytes.length) written += await file.write(bytes.subarray(written));
    } catch (error) {
      if (written > 0) await this.#undo(file, written);
      throw error;
    }
    this.#size += written;
    this.#torn = false;
  }

  /**
   * Starts a new file now if ours was renamed or removed. Do not call it during a write.
   * @throws an error of the operating system
   */
  async lookAnew(): Promise<void> {
    await this.#closeIfMoved();
    if (this.#file === undefined) await this.#open(false);
  }

  /** Closes the file; a later write would open it again. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #open(truncate: boolean): Promise<Deno.FsFile> {
    const file = await Deno.open(this.#path, { append: true, create: true, mode: MODE });
    try {
      if (truncate) await file.truncate();
      const info = await file.stat();
      const isTorn = this.#options.text ? endsInsideLine : () => this.#torn && this.#isOurs(info);
      this.#torn = info.size > 0 && await isTorn(this.#path);
      this.#identity = info;
      this.#size = info.size;
      return this.#file = file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Also notices what others wrote to our file, or cut off from it. */
  async #closeIfMoved(): Promise<void> {
    if (this.#file === undefined) return;
    const found = await statIfAny(this.#path);
    if (found === undefined || !this.#isOurs(found)) return this.close();
    this.#size = found.size;
    this.#torn &&= found.size > 0;
  }

  #isOurs({ dev, ino }: Deno.FileInfo): boolean {
    return dev === this.#identity?.dev && ino === this.#identity.ino;
  }

  /** Removes the start of a failed write again, unless somebody else has written since. */
  async #undo(file: Deno.FsFile, written: number): Promise<void> {
    try {
      if ((await file.stat()).size === this.#size + written) return await file.truncate(this.#size);
    } catch {
      // the file is marked as torn
    }
    this.#torn = true;
    this.#size += written;
  }

  async #rotate(): Promise<Deno.FsFile> {
    this.close();
    try {
      const target = await targetOf(this.#path);
      await Deno.rename(target, await freeBackupPath(target));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const file = await this.#open(false);
    await this.#prune();
    return file;
  }

  /** Removes the files put aside that are too many or too old. */
  async #prune(): Promise<void> {
    const { maxBackups, maxDays } = this.#options.rotation;
    const oldest = maxDays > 0 ? Date.now() - maxDays * DAY_MS : -Infinity;
    const most = maxBackups > 0 ? maxBackups : Infinity;
    const target = await targetOf(this.#path);
    try {
      const backups = await Array.fromAsync(listBackups(target));
      backups.sort((a, b) => b.time - a.time);
      for (const [index, { path, time }] of backups.entries()) {
        if (index >= most || time < oldest) await Deno.remove(path);
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.#options.warn(
        `cannot remove old files in ${dirname(target)}: ${systemReason(error)}`,
      );
    }
  }
}

/**
 * Where the file at `path` is put aside now: a name later than all others, even if the clock was
 * set back or the last file was put aside in this millisecond, because the name decides which files
 * are the newest.
 */
async function freeBackupPath(path: string): Promise<string> {
  let time = Date.now();
  for await (const backup of listBackups(path)) time = Math.max(time, backup.time + 1);
  return backupPath(path, new Date(time));
}

/** Where the file at `path` is put aside at `time`. */
function backupPath(path: string, time: Date): string {
  const extension = extname(path);
  const stamp = time.toISOString().slice(0, -"Z".length).replaceAll(":", "-");
  return `${dirname(path)}/${basename(path, extension)}-${stamp}${extension}`;
}

/** The files that were put aside, and when: milliseconds since the epoch. */
async function* listBackups(path: string): AsyncGenerator<{ path: string; time: number }> {
  const folder = dirname(path);
  for await (const { name, isFile } of Deno.readDir(folder)) {
    const [, date, hours, minutes, seconds] =
      /-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})(?:\.[^.]*)?$/.exec(name) ?? [];
    const time = new Date(`${date}T${hours}:${minutes}:${seconds}Z`);
    // a name that is not exactly one of ours belongs to somebody else's file
    if (!isFile || isNaN(time.getTime())) continue;
    const candidate = `${folder}/${name}`; // not join: the kernel follows a link before `..`
    if (backupPath(path, time) === candidate) yield { path: candidate, time: time.getTime() };
  }
}

/** Undefined if nothing is there, or it cannot be seen: opening it will say why. */
async function statIfAny(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch {
    return undefined;
  }
}

async function endsInsideLine(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  if (size === 0) return false;
  await file.seek(-1, Deno.SeekMode.End);
  const last = new Uint8Array(1);
  await file.read(last);
  return last[0] !== LINE_FEED[0];
}

/** The archive that a kernel unpacks as its first file system. */

const MAGIC = "070701"; // "newc", Documentation/driver-api/early-userspace/buffer-format.rst
const FOLDER = 0o040000;
const FILE = 0o100000;
const LINK = 0o120000;
const DEVICE = 0o020000; // a character device

/** Writes entries one after the other; a folder must come before what is in it. */
export class CpioWriter {
  readonly #file: Deno.FsFile;
  readonly #folders = new Set<string>();
  #inode = 1;

  /** @param file the caller closes it */
  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Adds a folder and those above it, unless they exist. @param path without a leading slash */
  async folder(path: string): Promise<void> {
    if (path === "" || path === "." || this.#folders.has(path)) return;
    await this.folder(parentOf(path));
    this.#folders.add(path);
    await this.#entry(path, FOLDER | 0o755, new Uint8Array());
  }

  /** A file with these bytes. */
  async file(path: string, bytes: Uint8Array, mode = 0o755): Promise<void> {
    await this.folder(parentOf(path));
    await this.#entry(path, FILE | mode, bytes);
  }

  /** A symbolic link. */
  async link(path: string, target: string): Promise<void> {
    await this.folder(parentOf(path));
    await this.#entry(path, LINK | 0o777, new TextEncoder().encode(target));
  }

  /** A character device. */
  async device(path: string, major: number, minor: number): Promise<void> {
    await this.folder(parentOf(path));
    await this.#entry(path, DEVICE | 0o600, new Uint8Array(), [major, minor]);
  }

  /** Writes the end. */
  async end(): Promise<void> {
    await this.#entry("TRAILER!!!", 0, new Uint8Array());
  }

  async #entry(
    path: string,
    mode: number,
    bytes: Uint8Array,
    [major, minor]: readonly [number, number] = [0, 0],
  ): Promise<void> {
    const name = new TextEncoder().encode(`${path}\0`);
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor,
    // namesize, check
    const fields = [
      this.#inode++,
      mode,
      0,
      0,
      1,
      0,
      bytes.length,
      0,
      0,
      major,
      minor,
      name.length,
      0,
    ];
    const head = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    await this.#write(new TextEncoder().encode(head));
    await this.#write(name);
    await this.#pad(head.length + name.length);
    await this.#write(bytes);
    await this.#pad(bytes.length);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
  }

  async #pad(length: number): Promise<void> {
    await this.#write(new Uint8Array(-length & 3));
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

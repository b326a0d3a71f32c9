/** Memory shared with the kernel through a descriptor. */
import { check, lastErrno, libc, SystemError } from "./libc.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

/** mmap(2) of a descriptor. A view on its buffer must not be used after disposal. */
export class Mapping implements Disposable {
  #buffer: ArrayBuffer | undefined;
  #address: Deno.PointerObject | null;

  /** @param length bytes; @param offset bytes, a multiple of the page size */
  constructor(fd: number, readonly length: number, access: "read" | "read-write", offset = 0) {
    const protection = access === "read" ? PROT_READ : PROT_READ | PROT_WRITE;
    const address = libc().mmap(null, BigInt(length), protection, MAP_SHARED, fd, BigInt(offset));
    if (address === null || Deno.UnsafePointer.value(address) === MAP_FAILED) {
      throw new SystemError("cannot map a BPF map", lastErrno());
    }
    this.#address = address;
    this.#buffer = Deno.UnsafePointerView.getArrayBuffer(address, length);
  }

  /** The memory itself, not a copy. @throws {TypeError} after disposal */
  get buffer(): ArrayBuffer {
    if (this.#buffer === undefined) throw new TypeError("cannot read a mapping: it is closed");
    return this.#buffer;
  }

  [Symbol.dispose](): void {
    if (this.#address === null) return;
    check("cannot unmap a BPF map", libc().munmap(this.#address, BigInt(this.length)));
    this.#address = null;
    this.#buffer = undefined;
  }
}

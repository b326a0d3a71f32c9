/** Bytes that are written one after another, without knowing how many there will be. */

/** Memory that grows; it is kept and written to again. */
export class GrowingBuffer {
  /** All of it. Growth makes a new view, after which the old one must not be used. */
  view: DataView<ArrayBuffer>;
  /** The same bytes. */
  bytes: Uint8Array<ArrayBuffer>;

  constructor(buffer: ArrayBuffer = new ArrayBuffer(0)) {
    this.view = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** Makes room for `size` bytes at `at`. @returns the view, on a larger copy if need be */
  reserve(at: number, size: number): DataView<ArrayBuffer> {
    const { buffer } = this.view;
    if (at + size > buffer.byteLength) {
      const grown = buffer.transfer(2 * buffer.byteLength + size);
      this.view = new DataView(grown);
      this.bytes = new Uint8Array(grown);
    }
    return this.view;
  }
}

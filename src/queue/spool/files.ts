/** Whole reads and writes at a place in a file. They throw errors of the operating system. */

/** Reads from `position` on until `target` is full or the file ends; returns how many bytes. */
export function readAt(file: Deno.FsFile, position: number, target: Uint8Array): number {
  file.seekSync(position, Deno.SeekMode.Start);
  let read = 0;
  while (read < target.length) {
    const some = file.readSync(target.subarray(read));
    if (some === null) break;
    read += some;
  }
  return read;
}

/** Writes all of `bytes` from `position` on. */
export function writeAt(file: Deno.FsFile, position: number, bytes: Uint8Array): void {
  file.seekSync(position, Deno.SeekMode.Start);
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
}

/** Standard output, for code that must know how much was written. */
import { writeSome } from "../../ffi/write.ts";

/** Its descriptor. */
export const STDOUT = 1;

/** Like `Deno.stdout.write`, but exact if a write fails midway; nothing is held back. */
export function writeToStdout(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  return writeSome(STDOUT, bytes);
}

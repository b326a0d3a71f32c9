/** Standard output, for those who have to know what was written. */
import { writeSome } from "../../ffi/write.ts";

/** Its descriptor. */
export const STDOUT = 1;

/** As `Deno.stdout.write`, but exact where a write fails midway; nothing is held back. */
export function writeToStdout(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  return writeSome(STDOUT, bytes);
}

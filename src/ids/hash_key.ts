/** The key of the hash that ids are made with. */
import { createHash } from "node:crypto";

/** The 16 bytes that key the hash of the site whose `trace.key` is `key`. */
export function hashKey(key: string): Uint8Array<ArrayBuffer> {
  const digest = createHash("sha256").update(`tcpspan ${key}`).digest();
  return new Uint8Array(digest.subarray(0, 16));
}

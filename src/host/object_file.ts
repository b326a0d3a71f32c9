/** The compiled kernel program. */
import { HostError, messageOf } from "../messages/errors.ts";
import { isSystemError, systemReason } from "../messages/system_error.ts";
import type { HostCheck } from "./check.ts";

/** Its place: next to the source, on disk or on the server that the source was loaded from. */
export const OBJECT_FILE = new URL("../../bpf/tcpspan.bpf.o", import.meta.url);

const FETCH_MS = 30_000;
const ELF = [0x7f, 0x45, 0x4c, 0x46];

/**
 * Its bytes.
 * @param sha256 of the object that belongs to this source, in hex: Deno keeps the source that it loads
 * from a server, which may have another object by now
 * @throws {HostError} if they cannot be fetched, or belong to another version
 */
export async function readObjectFile(sha256: string): Promise<Uint8Array<ArrayBuffer>> {
  if (OBJECT_FILE.protocol === "file:") return await Deno.readFile(OBJECT_FILE);
  let found: string;
  try {
    const response = await fetch(OBJECT_FILE, { signal: AbortSignal.timeout(FETCH_MS) });
    const bytes = await response.bytes();
    if (response.ok) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
      if (digest === sha256) return bytes;
      throw new HostError(
        `cannot use the kernel program from ${OBJECT_FILE}: it belongs to another version of tcpspan ` +
          "than the source that Deno has cached: run deno cache --reload with the URL of the program",
      );
    }
    found = `status ${response.status}`;
  } catch (error) {
    if (error instanceof HostError) throw error;
    found = messageOf(error);
  }
  throw new HostError(
    `cannot fetch the kernel program from ${OBJECT_FILE}: ${found}; each start fetches it, because ` +
      "tcpspan was not loaded from a disk: make sure that it can, or use a clone of the repository",
  );
}

function isElf(bytes: Uint8Array): boolean {
  return ELF.every((byte, i) => bytes[i] === byte);
}

/** Whether it is there. Only fetching it shows that, if it is not on disk. */
export function checkObjectFile(file = OBJECT_FILE): HostCheck {
  const name = "kernel program";
  const wrong = (found: string): HostCheck => ({
    name,
    result: "no",
    found,
    advice:
      "take bpf/tcpspan.bpf.o from the repository again, or build it: ./setup.sh --dev, then " +
      "deno task generate",
  });
  if (file.protocol !== "file:") return { name, result: "ok", found: `from ${file}` };
  try {
    using object = Deno.openSync(file);
    const start = new Uint8Array(ELF.length);
    object.readSync(start);
    if (!isElf(start)) return wrong(`${file.pathname} is not an ELF file`);
    return { name, result: "ok", found: file.pathname };
  } catch (error) {
    const reason = isSystemError(error) ? systemReason(error) : messageOf(error);
    return wrong(`cannot read ${file.pathname}: ${reason}`);
  }
}

/** The compiled kernel program. */
import { HostError, messageOf } from "../messages/errors.ts";
import { isSystemError, systemReason } from "../messages/system_error.ts";
import type { HostCheck } from "./check.ts";

/** Its place: next to the source, on disk or on the server that the source was loaded from. */
export const OBJECT_FILE = new URL("../../bpf/tcpspan.bpf.o", import.meta.url);

const ELF = [0x7f, 0x45, 0x4c, 0x46];

/**
 * Its bytes.
 * @throws {HostError} if they cannot be fetched, or are not an ELF file
 */
export async function readObjectFile(file = OBJECT_FILE): Promise<Uint8Array<ArrayBuffer>> {
  if (file.protocol === "file:") return await Deno.readFile(file);
  let found: string;
  try {
    const response = await fetch(file);
    const bytes = await response.bytes();
    if (response.ok && isElf(bytes)) return bytes;
    found = response.ok ? "it is not an ELF file" : `status ${response.status}`;
  } catch (error) {
    found = messageOf(error);
  }
  throw new HostError(
    `cannot fetch the kernel program from ${file}: ${found}; each start fetches it, because tcpspan was ` +
      "not loaded from a disk: make sure that it can, or use a clone of the repository",
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
    const reason = error instanceof Error && isSystemError(error)
      ? systemReason(error)
      : messageOf(error);
    return wrong(`cannot read ${file.pathname}: ${reason}`);
  }
}

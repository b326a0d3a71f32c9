/** The compiled kernel program. */
import { messageOf } from "../messages/errors.ts";
import { isSystemError, systemReason } from "../messages/system_error.ts";
import type { HostCheck } from "./check.ts";

/** Where it lies. */
export const OBJECT_FILE = new URL("../../bpf/tcpspan.bpf.o", import.meta.url);

const ELF = [0x7f, 0x45, 0x4c, 0x46];

/** Whether it is there. */
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
  try {
    using object = Deno.openSync(file);
    const start = new Uint8Array(ELF.length);
    object.readSync(start);
    if (!ELF.every((byte, i) => start[i] === byte)) return wrong(`${file.pathname} is no ELF file`);
    return { name, result: "ok", found: file.pathname };
  } catch (error) {
    const reason = error instanceof Error && isSystemError(error)
      ? systemReason(error)
      : messageOf(error);
    return wrong(`cannot read ${file.pathname}: ${reason}`);
  }
}

/** A SpanExporter that tries, as an intruder would, what tracing does not need. */
const libc = Deno.dlopen("libc.so.6", {
  syscall: { parameters: ["i64", "i64", "buffer", "i64"], result: "i64" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  unshare: { parameters: ["i32"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
}).symbols;

const SYS_BPF = Deno.build.arch === "x86_64" ? 321n : 280n;
const BPF_MAP_CREATE = 0n;
const BPF_PROG_GET_NEXT_ID = 11n;
const CLONE_NEWUTS = 0x04000000;

/** A map of the type array: key and value of 4 bytes, one entry. */
function createMap(command: bigint): boolean {
  const attributes = new Uint8Array(128);
  new Uint32Array(attributes.buffer).set([2, 4, 4, 1]);
  return libc.syscall(SYS_BPF, command, attributes, 128n) >= 0n;
}

const ATTEMPTS: Readonly<Record<string, () => boolean>> = {
  exec: () => new Deno.Command("true").outputSync().success,
  map: () => createMap(BPF_MAP_CREATE),
  // the kernel uses only the lower half of the command
  mapInDisguise: () => createMap(BPF_MAP_CREATE | 33n << 32n),
  otherPrograms: () => libc.syscall(SYS_BPF, BPF_PROG_GET_NEXT_ID, new Uint8Array(128), 128n) >= 0n,
  setns: () => {
    const own = new TextEncoder().encode("/proc/thread-self/ns/uts\0");
    return libc.setns(libc.open(own, 0), CLONE_NEWUTS) === 0;
  },
  unshare: () => libc.unshare(CLONE_NEWUTS) === 0,
};

/** The reasons of its failures say what it could do. */
export class Intruder {
  export(_spans: unknown, done: (result: { code: number; error: Error }) => void): void {
    const possible = Object.entries(ATTEMPTS).filter(([, attempt]) => {
      try {
        return attempt();
      } catch {
        return false;
      }
    }).map(([name]) => name);
    done({ code: 1, error: new Error(`possible: ${possible.join(", ") || "nothing"}`) });
  }

  async shutdown(): Promise<void> {}
}

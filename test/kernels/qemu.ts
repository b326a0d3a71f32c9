/** A guest: a kernel under software emulation, and its output on the serial line. */
import { TextLineStream } from "../lines.ts";
import type { Architecture } from "./kernels.ts";

/** What emulates a machine of each architecture. */
export const PROGRAMS = { amd64: "qemu-system-x86_64", arm64: "qemu-system-aarch64" } as const;

const MACHINES = {
  amd64: {
    program: PROGRAMS.amd64,
    package: "qemu-system-x86",
    // no 57-bit addresses: 5.10 does not start with them here
    args: ["-machine", "q35", "-cpu", "max,-la57"],
    parameters: ["console=ttyS0", "tsc=reliable", "no_timer_check", "apicpmtimer"],
  },
  arm64: {
    program: PROGRAMS.arm64,
    package: "qemu-system-arm",
    // signed pointers by a quick hash instead of the architecture's
    args: ["-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"],
    parameters: ["console=ttyAMA0"],
  },
} as const;

const PARAMETERS = ["quiet", "panic=-1", "rdinit=/init", "mitigations=off", "nokaslr"];

/** What to start. */
export interface GuestOptions {
  readonly architecture: Architecture;
  /** Paths. */
  readonly kernel: string;
  readonly image: string;
  /** Words for the kernel's command line. */
  readonly parameters: readonly string[];
  /** Ends the guest. */
  readonly signal: AbortSignal;
}

/**
 * Starts a guest.
 * @returns the lines that it writes, until it ends by itself or by the signal
 * @throws {Error} if qemu is not installed, or refuses
 */
export async function* boot(
  { architecture, kernel, image, parameters, signal }: GuestOptions,
): AsyncGenerator<string, void, void> {
  const machine = MACHINES[architecture];
  const args = [
    ...machine.args,
    ...["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024"],
    ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"],
    ...["-kernel", kernel, "-initrd", image],
    ...["-append", [...PARAMETERS, ...machine.parameters, ...parameters].join(" ")],
  ];
  if (!await isThere(machine.program)) {
    throw new Error(
      `cannot start a guest: found no ${machine.program}; install ${machine.package}`,
    );
  }
  const child = new Deno.Command("nice", {
    args: [machine.program, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
  };
  signal.addEventListener("abort", kill);
  let [isWhole, code] = [false, 0];
  try {
    if (signal.aborted) kill();
    for await (const line of child.stdout.pipeThrough(new TextLineStream())) {
      yield line.replaceAll("\r", "");
    }
    isWhole = true;
  } finally {
    if (!isWhole) kill(); // nobody reads its lines any more
    ({ code } = await child.status);
    signal.removeEventListener("abort", kill);
  }
  if (code !== 0 && !signal.aborted) {
    throw new Error(`cannot run a guest: ${machine.program} ended with status ${code}`);
  }
}

async function isThere(program: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] })
    .output();
  return success;
}

/** Processes that tests start, and what the kernel records of them. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { RecordFields } from "./fixtures.ts";

const TICK_NS = 10_000_000n; // of the times in /proc/PID/stat

/** Who a running process is. */
export function identityOf(pid: number): Partial<RecordFields> {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
  return {
    owner_pid: pid,
    owner_process_start_ns: BigInt(ticks) * TICK_NS + 1_234_567n, // the kernel is more exact
    owner_uid: 0,
  };
}

/** The same with its names; they are those of its first thread. */
export function recordOf(pid: number, executable?: string): Partial<RecordFields> {
  return {
    ...identityOf(pid),
    owner_exe: executable ?? basename(Deno.readLinkSync(`/proc/${pid}/exe`)),
    owner_comm: Deno.readTextFileSync(`/proc/${pid}/comm`).trimEnd(),
  };
}

/** What a process starts with. */
export interface StartOptions {
  /** Nothing else is set. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A process that runs until the test ends. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
}

/** @param script in bash, which ends with an exec of a program that is not bash */
export async function start(script: string, options: StartOptions = {}): Promise<Running> {
  const child = new Deno.Command("/bin/bash", {
    args: ["--norc", "-c", script],
    stdin: "null",
    clearEnv: true,
    env: options.env ?? {},
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  const read = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, "utf8");
  const bash = Deno.realPathSync("/bin/bash");
  const isBash = () => Deno.readLinkSync(`/proc/${child.pid}/exe`) === bash;
  while (isBash() || read("environ") === "") { // which comes last
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

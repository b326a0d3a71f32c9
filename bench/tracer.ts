/** tcplife and tcpspan as users run them. */
import { join } from "node:path";
import { TextLineStream } from "../test/lines.ts";
import { Process, until } from "../test/e2e/process.ts";
import { startTcpspan } from "../test/e2e/tcpspan.ts";
import { readProcLink } from "../src/host/procfs.ts";
import { sleep } from "./sleep.ts";
import { cpuNs } from "./usage.ts";

/** A running tracer. Disposing kills it. */
export interface Tracer extends AsyncDisposable {
  readonly pid: number;
  /** What it prints on stdout. */
  readonly output: string;
  /** Milliseconds from the start until it traces. */
  readonly startMs: number;
  /** Ends it like Ctrl-C. @returns what it wrote to stderr */
  stop(): Promise<string>;
}

/** What stands in front of a command that must end with the bench and write stdout to a file. */
function into(output: string): [string, ...string[]] {
  return ["setpriv", "--pdeathsig=KILL", "sh", "-c", `exec "$@" >'${output}'`, "sh"];
}

/** It needs tracefs, which is mounted for it alone if it is missing. */
const TCPLIFE = `
  [ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || exit
  exec tcplife
`;
const TCPLIFE_ATTACHES_MS = 300;

/** tcplife of libbpf-tools, text to a file. */
export async function startTcplife(folder: string): Promise<Tracer> {
  const output = join(folder, "tcplife.txt");
  const began = Date.now();
  const process = new Process([...into(output), "unshare", "--mount", "sh", "-c", TCPLIFE]);
  try {
    // its header stays in its buffer until the buffer is full
    await until("tcplife attaching", () => holdsProgram(process.pid));
    await sleep(TCPLIFE_ATTACHES_MS);
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw new Error("cannot start tcplife: run ./setup.sh --dev", { cause: error });
  }
  return {
    pid: process.pid,
    output,
    startMs: Date.now() - began,
    stop: async () => (await process.stop("SIGINT")).stderr,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

function holdsProgram(pid: number): boolean {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)]
    .some(({ name }) => readProcLink(`${pid}/fd/${name}`) === "anon_inode:bpf-prog");
}

/** tcpspan with the exporters of a config, or with its table. Its stdout is a file. */
export async function startSpans(folder: string, config?: string): Promise<Tracer> {
  const output = join(folder, "tcpspan.txt");
  const began = Date.now();
  const tool = await startTcpspan([], {
    inside: into(output),
    ...(config === undefined ? {} : { config }),
  });
  return {
    pid: tool.pid,
    output,
    startMs: Date.now() - began,
    stop: async () => (await tool.stop("SIGINT")).stderr,
    [Symbol.asyncDispose]: () => tool[Symbol.asyncDispose](),
  };
}

/** A config that sends uncompressed spans to a port of this host, with defaults otherwise. */
export function otlpConfig(port: number): string {
  return `exporters: { otlp: { endpoint: "http://127.0.0.1:${port}", compression: none } }`;
}

const BUSY_NS = 10e6; // CPU time in one step
const STEP_MS = 250;

/** Waits until a tracer has processed what it saw: until it uses hardly any CPU. */
export async function settle({ pid }: Pick<Tracer, "pid">, mostMs = 15_000): Promise<void> {
  const deadline = performance.now() + mostMs;
  for (let before = cpuNs(pid); performance.now() < deadline;) {
    await sleep(STEP_MS);
    const now = cpuNs(pid);
    if (now - before < BUSY_NS) return;
    before = now;
  }
}

/** A row of sessions that the load made: they have an address of 127/8 other than 127.0.0.1. */
const ROW = / 127\.[1-9]\d*\.\d+\.\d+ /;

/** Number of the load's session ends in a table in tcplife's format. */
export async function countRows(path: string): Promise<number> {
  let count = 0;
  const file = await Deno.open(path);
  for await (const line of file.readable.pipeThrough(new TextLineStream())) {
    if (ROW.test(line)) count++;
  }
  return count;
}

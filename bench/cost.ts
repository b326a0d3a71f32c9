/**
 * What tracing costs: `sudo deno task bench`. Runs the program beside a load of short sessions and
 * prints its CPU time and memory, and what its kernel programs took (`kernel.bpf_stats_enabled`).
 */
import { readProc } from "../src/procfs.ts";

const SESSIONS = 20_000; // two ends each
const ROUNDS = 5;
const IDLE_MS = 5000;
const STATS = "/proc/sys/kernel/bpf_stats_enabled";
const TICK_MS = 10; // USER_HZ is 100

/** CPU time and the kernel programs' time of a process until now. */
interface Usage {
  readonly cpuMs: number;
  readonly kernelNs: number;
  readonly rssKib: number;
}

function usage(pid: number): Usage {
  const fields = readProc(`${pid}/stat`)?.replace(/.*\) /s, "").split(" ") ?? [];
  let kernelNs = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fdinfo`)) {
    kernelNs += Number(
      /^run_time_ns:\s+(\d+)/m.exec(readProc(`${pid}/fdinfo/${name}`) ?? "")?.[1] ?? 0,
    );
  }
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    kernelNs,
    rssKib: Number(/^VmRSS:\s+(\d+)/m.exec(readProc(`${pid}/status`) ?? "")?.[1] ?? 0),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

/** Reads stderr until the line that tells that capture is live. */
async function untilTracing(stream: ReadableStream<Uint8Array>): Promise<void> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("tcpspan: tracing\n")) return;
  }
  throw new Error(`tcpspan did not start: ${text}`);
}

async function load(sessions: number): Promise<number> {
  const began = performance.now();
  const script = new URL("churn.py", import.meta.url).pathname;
  const { success } = await new Deno.Command("python3", { args: [script, String(sessions)] })
    .spawn().status;
  if (!success) throw new Error("cannot make sessions: churn.py failed");
  return (performance.now() - began) / 1000;
}

/** Runs the program under load, and prints what it took. */
async function measure(output: string): Promise<void> {
  const program = new URL("../mod.ts", import.meta.url).pathname;
  await using child = start(`exec deno run -A --frozen ${program} > ${output}`);
  await untilTracing(child.process.stderr);
  const { pid } = child.process;
  const idle = usage(pid);
  await sleep(IDLE_MS);
  const idleCpu = usage(pid).cpuMs - idle.cpuMs;
  const rounds: { kernel: number; user: number; rate: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const before = usage(pid);
    const seconds = await load(SESSIONS);
    await sleep(500);
    const after = usage(pid);
    rounds.push({
      kernel: (after.kernelNs - before.kernelNs) / 1000 / (2 * SESSIONS),
      user: (after.cpuMs - before.cpuMs) * 1000 / (2 * SESSIONS),
      rate: SESSIONS / seconds,
    });
  }
  const { rssKib } = usage(pid);
  const [kernel, user, rate] = (["kernel", "user", "rate"] as const)
    .map((key) => median(rounds.map((round) => round[key])));
  const cores = navigator.hardwareConcurrency;
  console.log(`Linux ${Deno.osRelease()}, ${cores} cores, Deno ${Deno.version.deno}`);
  console.log(`load    ${ROUNDS} x ${SESSIONS} sessions, ${rate?.toFixed(0)} a second`);
  console.log(`kernel  ${kernel?.toFixed(2)} µs per session end`);
  console.log(`user    ${user?.toFixed(2)} µs per session end, as a table to a file`);
  console.log(`idle    ${(idleCpu / IDLE_MS * 100).toFixed(2)} % of a core`);
  console.log(`memory  ${(rssKib / 1024).toFixed(0)} MiB resident after the load`);
}

/** A shell command that ends with the scope, however that ends. */
function start(command: string) {
  const process = new Deno.Command("sh", { args: ["-c", command], stderr: "piped" }).spawn();
  return {
    process,
    async [Symbol.asyncDispose]() {
      process.kill("SIGINT");
      await process.status;
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const statistics = Deno.readTextFileSync(STATS);
const restore = () => Deno.writeTextFileSync(STATS, statistics);
Deno.addSignalListener("SIGINT", () => {
  restore();
  Deno.exit(130);
});
const output = await Deno.makeTempFile();
try {
  Deno.writeTextFileSync(STATS, "1");
  await measure(output);
} finally {
  restore();
  await Deno.remove(output);
}
Deno.exit(0); // the signal listener would keep it alive

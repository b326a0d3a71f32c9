/**
 * What tracing costs: `sudo deno task bench`. Runs the program beside a load of short sessions and
 * prints its CPU time and memory, and what its kernel programs took (`kernel.bpf_stats_enabled`).
 */
import { readProc } from "../src/procfs.ts";

const SESSIONS = 20_000; // two ends each
const ROUNDS = 3;
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

const before = Deno.readTextFileSync(STATS);
Deno.writeTextFileSync(STATS, "1");
try {
  const program = new URL("../mod.ts", import.meta.url).pathname;
  const output = await Deno.makeTempFile();
  const child = new Deno.Command("sh", {
    args: ["-c", `exec deno run -A --frozen ${program} > ${output}`],
    stderr: "piped",
  }).spawn();
  await untilTracing(child.stderr);
  const idle = usage(child.pid);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const idleCpu = usage(child.pid).cpuMs - idle.cpuMs;
  const rounds: { kernel: number; user: number; rate: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const start = usage(child.pid);
    const seconds = await load(SESSIONS);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const end = usage(child.pid);
    rounds.push({
      kernel: (end.kernelNs - start.kernelNs) / 1000 / (2 * SESSIONS),
      user: (end.cpuMs - start.cpuMs) * 1000 / (2 * SESSIONS),
      rate: SESSIONS / seconds,
    });
  }
  const { rssKib } = usage(child.pid);
  child.kill("SIGINT");
  await child.status;
  const rows = Deno.readTextFileSync(output).split("\n").length - 2;
  await Deno.remove(output);
  console.log(
    `Linux ${Deno.osRelease()}, ${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}`,
  );
  console.log(
    `load: ${ROUNDS} rounds of ${SESSIONS} sessions, ${
      median(rounds.map((r) => r.rate)).toFixed(0)
    } a second`,
  );
  console.log(`kernel: ${median(rounds.map((r) => r.kernel)).toFixed(2)} µs per session end`);
  console.log(
    `user:   ${median(rounds.map((r) => r.user)).toFixed(2)} µs per session end, table to a file`,
  );
  console.log(`idle:   ${(idleCpu / 30).toFixed(2)} % of a core`);
  console.log(`memory: ${(rssKib / 1024).toFixed(0)} MiB resident`);
  console.log(`rows:   ${rows} of ${2 * SESSIONS * ROUNDS} or more`);
} finally {
  Deno.writeTextFileSync(STATS, before);
}

/** `deno task bench:profile`: where the time of a session goes, by perf(1)'s samples. */
import { join } from "node:path";
import { TextLineStream } from "../test/lines.ts";
import { makeTempFolder } from "../test/temp_folder.ts";
import { CPUS } from "./cpus.ts";
import { Load } from "./load.ts";
import { Sink } from "./sink.ts";
import { otlpConfig, settle, startSpans } from "./tracer.ts";

const SECONDS = 10;
const RATE = 10_000; // sessions a second, with two ends each
const HERTZ = 5000;
const SHOWN = 16; // rows
const NO_PERF = "cannot run perf: install linux-perf (Debian) or linux-tools-generic (Ubuntu)";
const PROGRAM = /\bbpf_prog_[\da-f]+_(set_state|destroy_sock|receive|send)\b/;

/** Samples by place. */
class Profile {
  readonly #title: string;
  readonly #counts = new Map<string, number>();
  #total = 0;

  constructor(title: string) {
    this.#title = title;
  }

  add(place: string): void {
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + 1);
    this.#total++;
  }

  print(): void {
    console.log(`${this.#title}: ${this.#total} samples`);
    const rows = [...this.#counts].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
    for (const [place, count] of rows) {
      console.log(`${(100 * count / this.#total).toFixed(1).padStart(6)} %  ${place}`);
    }
    console.log();
  }
}

/** One line of a call chain: an address, a symbol, and the object that it is in. */
interface Frame {
  readonly symbol: string;
  readonly object: string;
}

function parseFrame(line: string): Frame {
  const [, symbol = "", object = ""] = /^\s*[\da-f]+ (.*) \((.*)\)$/.exec(line) ?? [];
  return { symbol: symbol.replace(/\+0x[\da-f]+$/, ""), object };
}

/** What the tracer does in user space, without the names of its functions. */
function placeOf(thread: string, { object }: Frame): string {
  if (thread.startsWith("V8 ")) return "V8's own threads: garbage collection, compilation";
  if (/\[kernel|vmlinux/.test(object)) return "system calls: sending above all";
  if (/perf-\d+\.map|\[unknown\]|anon|JIT/.test(object)) return "tcpspan's own code, compiled";
  if (object.endsWith("/deno")) return "Deno and V8: event loop, HTTP, code not compiled yet";
  return `libraries: ${object.replace(/.*\//, "")}`;
}

const { success: hasPerf } = await new Deno.Command("sh", { args: ["-c", "perf version"] })
  .output();
if (!hasPerf) {
  console.error(NO_PERF);
  Deno.exit(1);
}
await using folder = await makeTempFolder();
await using load = await Load.prepare(folder.path);
await using sink = await Sink.start(folder.path);
await using tracer = await startSpans(folder.path, otlpConfig(sink.port));
await load.churn({ threads: CPUS, seconds: 2, rate: RATE }); // until its code is compiled
await settle(tracer);
const samples = join(folder.path, "perf.data");
const perf = new Deno.Command("perf", {
  args: ["record", "-a", "-e", "cpu-clock", "-F", `${HERTZ}`, "-g", "-o", samples].concat(
    ["--", "sleep", `${SECONDS}`],
  ),
  stdout: "null",
  stderr: "null",
}).spawn();
const { sessions } = await load.churn({ threads: CPUS, seconds: SECONDS, rate: RATE });
if (!(await perf.status).success) throw new Error("perf record failed");

const kernel = new Profile("kernel programs, and what they call");
const user = new Profile("the process, sending OTLP");
let header: { readonly thread: string; readonly pid: number } | undefined;
let frames: Frame[] = [];
const script = new Deno.Command("perf", {
  args: ["script", "-i", samples, "-F", "comm,pid,ip,sym,dso"],
  stdout: "piped",
  stderr: "null",
}).spawn();
for await (const line of script.stdout.pipeThrough(new TextLineStream())) {
  if (/^\s/.test(line)) {
    frames.push(parseFrame(line));
  } else if (line === "") {
    const [leaf] = frames;
    if (leaf !== undefined && header !== undefined) {
      const at = frames.findIndex(({ symbol }) => PROGRAM.test(symbol));
      if (at >= 0) kernel.add(at === 0 ? "the programs themselves" : leaf.symbol);
      else if (header.pid === tracer.pid) user.add(placeOf(header.thread, leaf));
    }
    frames = [];
  } else {
    const [, thread = "", pid] = /^(.*?)\s+(\d+)\s*$/.exec(line) ?? [];
    header = { thread, pid: Number(pid) };
  }
}
console.log(`${sessions} sessions in ${SECONDS} s\n`);
kernel.print();
user.print();

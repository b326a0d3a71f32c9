/** `deno task bench`: what tracing costs, compared with tcplife. */
import { parseArgs } from "node:util";
import { REPOSITORY } from "../test/e2e/tcpspan.ts";
import { run } from "../test/kernel/host.ts";
import type { Bench } from "./bench.ts";
import { replaceMarked } from "./document.ts";
import { Load } from "./load.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { measureBulk } from "./measure/bulk.ts";
import { measureChurn } from "./measure/churn.ts";
import { measureEncoders } from "./measure/encoder.ts";
import { measureExisting } from "./measure/existing.ts";
import { measureIdle } from "./measure/idle.ts";
import { measureLoss } from "./measure/loss.ts";
import { measureMemory } from "./measure/memory.ts";
import { measureStart } from "./measure/start.ts";
import { report } from "./report.ts";
import { isMet, ratioOf, type Row } from "./row.ts";
import { FULL, QUICK, type Scale } from "./scale.ts";
import { Sink } from "./sink.ts";

const DOCUMENT = `${REPOSITORY}docs/performance.md`;

const MEASUREMENTS = {
  churn: measureChurn,
  encoder: measureEncoders,
  loss: measureLoss,
  idle: measureIdle,
  memory: measureMemory,
  start: measureStart,
  existing: measureExisting,
  bulk: measureBulk,
} satisfies Record<string, (bench: Bench) => Promise<Row[]>>;

const USAGE = `Usage: deno task bench [--quick] [--only NAME]... [--json FILE] [--write]

Prints what tracing costs here. Needs root and ./setup.sh --dev.

  --quick      about a minute rather than some, to see that it works
  --only NAME  one measurement: ${Object.keys(MEASUREMENTS).join(", ")}
  --json FILE  writes all figures of all rounds, too
  --write      puts the table, which must be whole, into docs/performance.md`;

/** Measures one thing after the other, so that nothing disturbs. */
async function measure(scale: Scale, names: readonly string[]): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-bench-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  Deno.env.set("TMPDIR", folder); // for temporary files of the tools below
  const load = stack.use(await Load.prepare(folder));
  // the programs that run end with this one: they ask the kernel for it
  const abandon = () => {
    load.abandon();
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, abandon);
    stack.defer(() => Deno.removeSignalListener(signal, abandon));
  }
  const sink = stack.use(await Sink.start(folder));
  const progress = (text: string) => console.error(`bench: ${text}`);
  const rows: Row[] = [];
  for (const [name, rowsOf] of Object.entries(MEASUREMENTS)) {
    if (!names.includes(name)) continue;
    rows.push(...await rowsOf({ scale, folder, load, sink, progress }));
  }
  return rows;
}

function asJson(machine: Machine, rows: readonly Row[]): string {
  const shown = rows.map((row) => ({
    ...row,
    ratio: ratioOf(row), // null if there is none
    goal: row.goal?.text,
    met: isMet(row),
  }));
  return `${JSON.stringify({ machine, rows: shown }, null, 2)}\n`;
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    json: { type: "string" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const names = values.only ?? Object.keys(MEASUREMENTS);
const usable = names.every((name) => name in MEASUREMENTS) && !(values.write && values.only);
if (values.help || !usable) {
  console.log(USAGE);
  Deno.exit(values.help ? 0 : 2);
}
const machine = await describeMachine();
const rows = await measure(values.quick ? QUICK : FULL, names);
const text = report(machine, rows);
console.log(text);
if (values.json !== undefined) await Deno.writeTextFile(values.json, asJson(machine, rows));
if (values.write) {
  await Deno.writeTextFile(DOCUMENT, replaceMarked(await Deno.readTextFile(DOCUMENT), text));
  await run(Deno.execPath(), "fmt", "-q", DOCUMENT);
  console.error(`bench: wrote ${DOCUMENT}`);
}

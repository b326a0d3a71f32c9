/** `deno task reliability`: long trials of what an operator fears. */
import { parseArgs } from "node:util";
import { replaceMarked } from "../../bench/document.ts";
import { describeMachine, type Machine } from "../../bench/machine.ts";
import { REPOSITORY } from "../e2e/tcpspan.ts";
import { counted, objectionsTo, type Outcome } from "./outcome.ts";
import { FULL, SHORT } from "./scale.ts";
import * as trials from "./trials.ts";

const DOCUMENT = `${REPOSITORY}docs/reliability.md`;

const USAGE = `Usage: deno task reliability [--short] [--only NAME]... [--write]

Tries, under load, whether made equals delivered, by span id. Needs root and ./setup.sh --dev.

  --short      two minutes rather than fifteen
  --only NAME  one trial: ${Object.keys(trials).join(", ")}
  --write      puts the table, which must be whole, into docs/reliability.md`;

function table(machine: Machine, outcomes: readonly Outcome[]): string {
  const { load: _load, ...lines } = machine; // of no interest if nothing is timed
  const rows = outcomes.map((outcome) =>
    `| ${
      [
        outcome.trial,
        outcome.made,
        outcome.delivered,
        outcome.lost.map(([place, count]) => `${count}: ${place}`).join("; ") || "0",
        outcome.made - outcome.delivered - counted(outcome),
        outcome.duplicates,
        outcome.notes.join("; "),
      ].join(" | ")
    } |`
  );
  return [
    ...Object.entries(lines).map(([name, value]) => `- ${name}: ${value}`),
    "",
    "| trial | ends made | delivered | counted as lost | missing without a count | delivered again | beside |",
    "|---|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    write: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const unknown = values.only?.find((name) => !(name in trials));
if (values.help || unknown !== undefined || values.write && (values.only || values.short)) {
  console.error(USAGE);
  Deno.exit(values.help ? 0 : 2);
}
const machine = await describeMachine();
const outcomes: Outcome[] = [];
let wrong = 0;
for (const [name, trial] of Object.entries(trials)) {
  if (values.only !== undefined && !values.only.includes(name)) continue;
  console.error(`reliability: ${name}`);
  const outcome = await trial(values.short ? SHORT : FULL);
  outcomes.push(outcome);
  for (const objection of objectionsTo(outcome)) {
    console.error(`reliability: ${name}: WRONG: ${objection}`);
    wrong++;
  }
}
const text = table(machine, outcomes);
console.log(text);
if (values.write) {
  const document = await Deno.readTextFile(DOCUMENT);
  await Deno.writeTextFile(DOCUMENT, replaceMarked(document, text));
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", DOCUMENT] }).output();
}
Deno.exit(wrong === 0 ? 0 : 1);

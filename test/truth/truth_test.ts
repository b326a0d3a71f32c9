/** Every field of every span of the real program, compared with what really happened. */
import { strict as assert } from "node:assert";
import { CASES } from "./cases/all.ts";
import type { Fault } from "./check.ts";
import { type CaseResult, runCases } from "./run.ts";
import type { Verdict } from "./verdict.ts";

let running: Promise<CaseResult[]> | undefined;

/** All cases are played in the first test's time, by one tracer. */
async function resultOf(name: string): Promise<CaseResult> {
  running ??= runCases(CASES);
  const result = (await running).find(({ played }) => played.name === name);
  assert.ok(result !== undefined, `${name} was not played`);
  return result;
}

for (const one of CASES) {
  if ("impossible" in one) continue;
  Deno.test(`the spans are true (${one.section}): ${one.name}`, async () => {
    const { broken, tcpspan } = await resultOf(one.name);
    const known = one.known?.fields ?? [];
    if (broken !== undefined) throw new Error("the case could not be played", { cause: broken });
    const faults = faultsOf(tcpspan, known);
    assert.ok(faults.length === 0, `${faults.length} faults\n${faults.join("\n")}`);
  });
}

/** All faults but those in the fields that are known to be wrong. */
function faultsOf({ ends, extra }: Verdict, known: readonly string[]): string[] {
  return [
    ...ends.flatMap(({ expected: { what }, missing, faults }) =>
      missing
        ? [`${what}: no span`]
        : faults.filter(({ field }) => !known.includes(field)).map((fault) =>
          `${what}: ${tell(fault)}`
        )
    ),
    ...extra.map(tell),
  ];
}

function tell({ field, expected, found }: Fault): string {
  return `${field}: expected ${expected}, found ${found}`;
}

/** Every field of every span of the real program, compared with what really happened. */
import { strict as assert } from "node:assert";
import { CASES } from "./cases/all.ts";
import type { Fault } from "./check.ts";
import { type CaseResult, runCases } from "./run.ts";
import type { Verdict } from "./verdict.ts";

/** Cases that may be disturbed in one run: the machine pauses, or skips a program of the kernel. */
const MOST_DISTURBED = 3;

let running: Promise<ReadonlyMap<string, readonly string[]>> | undefined;

/**
 * What is wrong, by the names of cases. The first test plays all, under one tracer; the
 * few that go wrong are played once more, alone.
 */
async function play(): Promise<ReadonlyMap<string, readonly string[]>> {
  const objections = new Map((await runCases(CASES)).map(objectionsTo));
  const again = CASES.filter(({ name }) => (objections.get(name) ?? []).length > 0);
  if (again.length === 0 || again.length > MOST_DISTURBED) return objections;
  for (const { name } of again) {
    console.log(`playing ${name} again: ${objections.get(name)?.join("; ")}`);
  }
  for (const result of await runCases(again)) objections.set(...objectionsTo(result));
  return objections;
}

function objectionsTo({ played, broken, tcpspan }: CaseResult): [string, readonly string[]] {
  const objections = broken === undefined
    ? faultsOf(tcpspan, played.known?.fields ?? [])
    : [`it could not be played: ${broken}`];
  return [played.name, objections];
}

for (const one of CASES) {
  if ("impossible" in one) continue;
  Deno.test(`the spans are true (${one.section}): ${one.name}`, async () => {
    const objections = (await (running ??= play())).get(one.name);
    assert.deepEqual(objections, []);
  });
}

/** All faults, without those in fields that are known to be wrong. */
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

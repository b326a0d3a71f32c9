/** docs/truth.md, and the full log: what both tracers reported, case by case, end by end. */
import type { Case } from "./case.ts";
import type { Fault } from "./check.ts";
import type { CaseResult } from "./run.ts";
import type { EndVerdict, Verdict } from "./verdict.ts";

/** What was compared, and where. */
export interface ReportFacts {
  readonly kernel: string;
  /** The version of tcplife's package. */
  readonly tcplife: string;
}

interface Tally {
  right: number;
  wrong: number;
  missing: number;
  extra: number;
}

const SECTIONS = {
  owner: "Who owned it",
  existing: "Open before the tracer started",
  bytes: "What was counted",
  ends: "How it ended",
  times: "When it was",
  places: "Where it was",
} as const;

/** Which rows a report has: all, or only those in which a tracer is not right. */
export type Rows = "all" | "differing";

/** One end of a session, and what both tracers reported of it. */
interface Row {
  readonly case: string;
  readonly end: string;
  readonly tcplife: string;
  readonly tcpspan: string;
}

const RIGHT = "right";

/** The text of the document. */
export function report(
  cases: readonly Case[],
  results: readonly CaseResult[],
  { kernel, tcplife }: ReportFacts,
  rows: Rows,
): string {
  return [
    "# The truth",
    "",
    `Written by \`sudo deno task truth\`, on Linux ${kernel} with tcplife of libbpf-tools ${tcplife}.`,
    "",
    "Each case makes sessions whose every detail the test knows: who opened and closed them, when,",
    "what was sent, and how they ended. Both tracers watch the same sessions. A row is one end of a",
    "session, or an attempt. Of tcpspan every member and attribute of the span is compared, of",
    "tcplife the columns that it has: its MS may be off by 1, its KB not by a hundredth.",
    "",
    ...summary(results),
    ...(rows === "all" ? [] : [
      "Below are the rows in which a tracer is not right. `sudo deno task truth --full FILE` writes",
      "all rows to a file of its own.",
      "",
    ]),
    ...Object.entries(SECTIONS).flatMap(([section, title]) => {
      const played = results.filter(({ played }) => played.section === section);
      return played.length === 0 ? [] : [`## ${title}`, "", ...table(played, rows), ""];
    }),
    ...impossible(cases),
  ].join("\n");
}

function summary(results: readonly CaseResult[]): string[] {
  const lines = ([
    ["tcplife", summarize(results.map((result) => result.tcplife))],
    ["tcpspan", summarize(results.map((result) => result.tcpspan))],
  ] as const).map(([name, { right, wrong, missing, extra }]) =>
    `| ${name} | ${right} | ${wrong} | ${missing} | ${extra} |`
  );
  return [
    "|  | right | wrong | missing | too many |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
    "",
  ];
}

function summarize(verdicts: readonly (Verdict | undefined)[]): Tally {
  const sum: Tally = { right: 0, wrong: 0, missing: 0, extra: 0 };
  for (const { ends, extra } of verdicts.filter((verdict) => verdict !== undefined)) {
    for (const { missing, faults } of ends) {
      sum[missing ? "missing" : faults.length > 0 ? "wrong" : "right"]++;
    }
    sum.extra += extra.length;
  }
  return sum;
}

function table(results: readonly CaseResult[], rows: Rows): string[] {
  const all = results.map(rowsOf);
  const shown = rows === "all" ? all : all.map((ofCase) => ofCase.filter(differs));
  const lines = shown.flatMap((ofCase) =>
    ofCase.map((one, i) => row(i === 0 ? one.case : "", one.end, one.tcplife, one.tcpspan))
  );
  const count = all.flat().length;
  const right = `${count - all.flat().filter(differs).length} of ${count} rows are right in both.`;
  return [
    ...(rows === "all" ? [] : [right, ""]),
    ...(lines.length === 0
      ? []
      : ["| case | end | tcplife | tcpspan |", "| --- | --- | --- | --- |", ...lines]),
  ];
}

function differs({ tcplife, tcpspan }: Row): boolean {
  return tcplife !== RIGHT || tcpspan !== RIGHT;
}

function rowsOf({ played: { name, known }, broken, tcplife, tcpspan }: CaseResult): Row[] {
  const of = (end: string, tcplife: string, tcpspan: string) => ({
    case: name,
    end,
    tcplife,
    tcpspan,
  });
  if (broken !== undefined) return [of("", "", `not played: ${broken}`)];
  const rows = tcpspan.ends.map((end, i) =>
    of(end.expected.what, verdict(tcplife?.ends[i]), verdict(end, known?.why))
  );
  const [ofTcplife, ofTcpspan] = [describeExtra(tcplife), describeExtra(tcpspan)];
  const none = ofTcplife === "" && ofTcpspan === "";
  if (rows.length === 0 && none) return [of("none", RIGHT, RIGHT)];
  return none ? rows : [...rows, of("too many", ofTcplife, ofTcpspan)];
}

function describeExtra(verdict: Verdict | undefined): string {
  return verdict?.extra.map(({ found }) => found).join("; ") ?? "";
}

function row(...cells: readonly string[]): string {
  return `| ${
    cells.map((text) => text.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")
  } |`;
}

function verdict(end: EndVerdict | undefined, why?: string): string {
  if (end === undefined) return "";
  if (end.missing) return "**missing**";
  if (end.faults.length === 0) return RIGHT;
  return end.faults.map(tell).join("; ") + (why === undefined ? "" : `: ${why}`);
}

function tell({ field, expected, found }: Fault): string {
  return field === "row" ? `**${found}**` : `**${field}** ${found} (true: ${expected})`;
}

function impossible(cases: readonly Case[]): string[] {
  const lines = cases.flatMap((one) => "impossible" in one ? [row(one.name, one.impossible)] : []);
  if (lines.length === 0) return [];
  return ["## What could not be made here", "", "| case | why |", "| --- | --- |", ...lines, ""];
}

/** docs/kernels.md: the result for each kernel, one row each. */
import type { Result } from "./guest/result.ts";
import { BOOTS, nameOf } from "./kernels.ts";
import type { Outcome } from "./outcome.ts";

const LONGEST = 250; // characters of a remark

const HEAD = [
  "| kernel | version | on | result | checks | runs skipped | |",
  "| --- | --- | --- | --- | --- | --- | --- |",
];

/**
 * The text of the document.
 * @param before the old text: its rows of other boots stay
 * @param qemu version of qemu
 */
export function document(outcomes: readonly Outcome[], before: string, qemu: string): string {
  const rows = new Map(rowsOf(before));
  for (const outcome of outcomes) rows.set(nameOf(outcome.boot), rowOf(outcome));
  const own = [...rows.keys()].filter((name) => BOOTS.every((boot) => nameOf(boot) !== name));
  const table = [...own, ...BOOTS.map(nameOf)].sort(bySeries).flatMap((name) =>
    rows.get(name) ?? []
  );
  return [
    "# Kernels",
    "",
    "Written by `sudo deno task kernels --write`: Debian's kernels for virtual machines, booted by",
    `qemu ${qemu} in software, with two CPUs where the row says nothing else.`,
    "",
    ...HEAD,
    ...table,
    "",
    "- In each of them every option of a capture is tried alone, and all at once: its programs have to",
    "  load, and a session has to be reported or left out, with the right ports, bytes, role and process.",
    "  Then sessions of other processes, IPv6, a refused connection, a reset, sessions that were open",
    "  before the start, interim reports, a sample, other options while a session is open, a pin, the",
    "  table and `doctor`.",
    "- _right_: all of that was right, and the kernel's log warned of nothing meanwhile. _refuses_: it",
    "  says why it cannot trace, as does `doctor`, and neither ends with status 0.",
    "- _runs skipped_: in 400 sessions whose packets arrive on other CPUs (RPS), how often the kernel",
    "  skipped a program because it was interrupted by itself. Each end has to be reported all the same,",
    "  or counted as unseen, which 8 of the 800 may be.",
    "- Debian has no 5.15: that kernel was built from source. `--kernel FILE` boots one's own.",
    "",
  ].join("\n");
}

/** The rows of the table in `text`, by their first cells. */
function rowsOf(text: string): [string, string][] {
  const rows = text.split("\n").filter((line) => /^\| \d/.test(line));
  return rows.map((row) => [row.split("|")[1]?.trim() ?? "", row]);
}

function bySeries(one: string, other: string): number {
  const [a, b] = [one, other].map((name) => name.split(/[. ]/).map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}

function rowOf({ boot, version, results, faults, date }: Outcome): string {
  const checks = results.filter((result) => result.kind === "check");
  const cells = [
    nameOf(boot),
    version,
    date,
    faults.length > 0 ? "**wrong**" : boot.refusal === undefined ? "right" : "refuses",
    checks.length === 0 ? "" : checks.filter(({ lacks }) => lacks === undefined).length,
    results.find((result) => result.kind === "skipped")?.runs ?? "",
    [...faults, ...remarks(results)].map(inCell).join("<br>"),
  ];
  return `| ${cells.join(" | ")} |`;
}

function remarks(results: readonly Result[]): string[] {
  const found = results.flatMap((result) => {
    switch (result.kind) {
      case "omission":
        return [`without ${result.part}`];
      case "check":
        return result.lacks === undefined ? [] : [`without ${result.lacks}`];
      case "refusal":
        return [`“${result.ofCapture}”`];
      default:
        return [];
    }
  });
  return [...new Set(found)];
}

/** The start of a text: the rest is in the guest's log. */
function inCell(text: string): string {
  const words = text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
  return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
}

/** The figures as a table for people, in Markdown. */
import type { Machine } from "./machine.ts";
import { isMet, ratioOf, type Row } from "./row.ts";
import { median } from "./statistics.ts";

const HEAD = ["figure", "beside", "peer", "tcpspan", "ratio", "goal", "met"];

/** The whole table, with the machine above it and the notes below. */
export function report(machine: Machine, rows: readonly Row[]): string {
  const notes: string[] = [];
  const body = rows.map((row) => cells(row, notes));
  const described = Object.entries(machine).map(([name, text]) => `- ${name}: ${text}`);
  return [
    ...described,
    "",
    "Medians of the rounds, the extremes in brackets; the ratio is the median of the rounds' own.",
    "",
    ...table([HEAD, ...body]),
    "",
    ...notes.map((note, i) => `${i + 1}. ${note}`),
    "",
  ].join("\n");
}

function cells(row: Row, notes: string[]): string[] {
  const { figure, unit, peer, tcpspan, goal, note } = row;
  const ratio = ratioOf(row);
  const met = isMet(row);
  return [
    note === undefined ? figure : `${figure} (${notes.push(note)})`,
    peer?.of ?? "",
    peer === undefined ? "" : shown(peer.values, unit),
    shown(tcpspan, unit),
    !Number.isFinite(ratio) ? "" : ratio.toFixed(ratio < 10 ? 3 : 1),
    goal?.text ?? "",
    goal === undefined ? "" : met === undefined ? "not measured" : met ? "yes" : "**no**",
  ];
}

function shown(values: readonly number[], unit: string): string {
  if (values.length === 0) return "";
  const text = `${digits(median(values))} ${unit}`.trim();
  if (values.length === 1) return text;
  return `${text} (${digits(Math.min(...values))}–${digits(Math.max(...values))})`;
}

/** Three significant digits, and all digits before the point. */
function digits(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows.map(line);
  return [String(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body];
}

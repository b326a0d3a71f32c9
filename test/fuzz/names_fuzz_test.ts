import assert from "node:assert/strict";
import { CsvFormat } from "../../exporters/stdout/csv.ts";
import type { StdoutFormat } from "../../exporters/stdout/format.ts";
import { JsonFormat } from "../../exporters/stdout/json.ts";
import { TableFormat } from "../../exporters/stdout/table.ts";
import { TEXT_LENGTH } from "../../src/session/record_layout.ts";
import { makeSpanMapper } from "../exporter_context.ts";
import { makeBatch, type RecordFields } from "../fixtures.ts";
import { assertSafeLine, decodeUtf8 } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const TIMES = { time: false, timestamp: false };
const CSV_COLUMNS = 10;

/** The lines that a format makes of two sessions, each safe to look at. */
function linesOf(format: StdoutFormat, fields: Partial<RecordFields>): string[] {
  const text = decodeUtf8(format.format(makeBatch(fields, {})));
  const lines = text.split("\n");
  assert.equal(lines.length, 3, text); // two lines, each with its end
  assert.equal(lines.pop(), "");
  for (const line of lines) assertSafeLine(line);
  return lines;
}

/** Fields of RFC 4180. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/g)]
    .map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "");
}

/** Names that a process gave itself: one safe line per session in each format. */
fuzz("names", (bytes) => {
  const comm = bytes.slice(0, TEXT_LENGTH.comm - 1);
  const exe = bytes.slice(comm.length, comm.length + TEXT_LENGTH.exe - 1);
  const fields = { owner_comm: comm, owner_exe: exe };
  linesOf(new TableFormat({ wide: false, ...TIMES }), fields);
  linesOf(new TableFormat({ wide: true, ...TIMES }), fields);
  for (const line of linesOf(new CsvFormat(TIMES), fields)) {
    assert.equal(fieldsOf(line).length, CSV_COLUMNS, line);
  }
  for (const line of linesOf(new JsonFormat(makeSpanMapper()), fields)) {
    assert.equal(typeof JSON.parse(line)["thread.name"], "string");
  }
}, {
  runs: 300,
  tokens: [
    "\x1b[2J",
    "\x9b",
    "\u202e",
    "\u2066",
    "\u200b",
    '"',
    ",",
    "\\",
    "=cmd()",
    "\ud7ff",
    "\u{e0041}",
  ],
});

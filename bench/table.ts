/**
 * The cost of turning records into rows for stdout, a part of `deno task bench:micro`: tcpspan's
 * formats, compared with plain strings that were not written for speed.
 */
import { CsvFormat } from "../exporters/stdout/csv.ts";
import { JsonFormat } from "../exporters/stdout/json.ts";
import { TableFormat } from "../exporters/stdout/table.ts";
import type { SessionBatch } from "../src/session/batch.ts";
import { IdHasher } from "../src/ids/ids.ts";
import { ParentRule } from "../src/span/parent.ts";
import { PortRange } from "../src/host/client_ports.ts";
import { ProcessResources } from "../src/span/resource.ts";
import type { Session } from "../src/session/session.ts";
import { SpanMapper } from "../src/span/span_mapper.ts";
import { encoderBatches } from "./encoder_sessions.ts";
import { type Figure, measureWays, printFigures, printMachine } from "./micro.ts";

/** The figures for one kind of sessions; the others are compared with the first. */
export interface TableReport {
  readonly sessions: string;
  readonly figures: readonly Figure[];
}

const CLOCKS = { time: false, timestamp: false };

const encoder = new TextEncoder();

/** Measures each kind of sessions, a few seconds each. */
export function* measureTable(): Generator<TableReport, void, void> {
  for (const [sessions, batch] of Object.entries(encoderBatches())) {
    yield { sessions, figures: measureWays(tableWays(batch), batch.length) };
    yield { sessions: `${sessions}: JSON`, figures: measureWays(jsonWays(batch), batch.length) };
  }
}

function tableWays(batch: SessionBatch): Readonly<Record<string, () => void>> {
  const table = new TableFormat({ wide: false, ...CLOCKS });
  const clocks = new TableFormat({ wide: false, time: true, timestamp: true });
  const wide = new TableFormat({ wide: true, ...CLOCKS });
  const csv = new CsvFormat(CLOCKS);
  return {
    "template strings: table": () => plainTable(batch),
    "own: table": () => table.format(batch),
    "own: table with both clocks": () => clocks.format(batch),
    "own: wide": () => wide.format(batch),
    "own: csv": () => csv.format(batch),
  };
}

function jsonWays(batch: SessionBatch): Readonly<Record<string, () => void>> {
  const mapper = new SpanMapper(
    new IdHasher(""),
    new ProcessResources({ attributes: {}, commandLine: false, fromProcessEnv: false }),
    new ParentRule({ parent: "auto", peers: [] }),
    new PortRange(32768, 60999),
  );
  const json = new JsonFormat(mapper);
  return {
    "JSON.stringify of attributes": () => plainJson(batch, mapper),
    "own: json": () => json.format(batch),
  };
}

function plainJson(batch: SessionBatch, mapper: SpanMapper): Uint8Array {
  const session = batch.at(0);
  let text = "";
  for (let i = 0; i < batch.length; i++) {
    const { resource, attributes } = mapper.toSpan(session.moveTo(i));
    text += `${JSON.stringify({ ...resource.attributes, ...attributes })}\n`;
  }
  return encoder.encode(text);
}

function plainTable(batch: SessionBatch): Uint8Array {
  const session = batch.at(0);
  let text = "";
  for (let i = 0; i < batch.length; i++) text += plainRow(session.moveTo(i));
  return encoder.encode(text);
}

function plainRow(session: Session): string {
  const tx = String(Math.floor(session.txBytes / 1024)).padStart(5);
  const rx = String(Math.floor(session.rxBytes / 1024)).padStart(5);
  return `${String(session.pid ?? 0).padEnd(5)} ${session.comm.slice(0, 10).padEnd(10)} ` +
    `${session.localAddress.padEnd(15)} ${String(session.localPort).padEnd(5)} ` +
    `${session.peerAddress.padEnd(15)} ${String(session.peerPort).padEnd(5)} ` +
    `${tx} ${rx} ${(session.lifeUs / 1000).toFixed(2)}\n`;
}

if (import.meta.main) {
  printMachine();
  for (const { sessions, figures } of measureTable()) printFigures(sessions, "row", figures);
}

/** The bytes of the stdout formats, compared with plain code that makes the same text. */
import assert from "node:assert/strict";
import { type Attributes, type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { CsvFormat } from "../../exporters/stdout/csv.ts";
import { writeMilliseconds } from "../../exporters/stdout/columns.ts";
import type { StdoutFormat } from "../../exporters/stdout/format.ts";
import { JsonFormat } from "../../exporters/stdout/json.ts";
import { TableFormat } from "../../exporters/stdout/table.ts";
import type { SessionBatch } from "../../src/session/batch.ts";
import { IdHasher } from "../../src/ids/ids.ts";
import { ParentRule } from "../../src/span/parent.ts";
import { PortRange } from "../../src/host/client_ports.ts";
import { printable, printableJson } from "../../src/messages/printable.ts";
import { FLAG, RECORD } from "../../src/session/record_layout.ts";
import { ProcessResources } from "../../src/span/resource.ts";
import { formatRfc3339 } from "../../src/bytes/rfc3339.ts";
import { type Session, TCP_STATES } from "../../src/session/session.ts";
import { SpanMapper } from "../../src/span/span_mapper.ts";
import { makeBatch, type RecordFields } from "../fixtures.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff_ffff }));
const u64 = fc.oneof(
  fc.constant(0n),
  fc.bigInt(0n, 2n ** 20n),
  fc.bigInt(2n ** 32n - 2n, 2n ** 40n),
  fc.bigInt(0n, 2n ** 64n - 1n),
);
const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc.constantFrom("::", "fe80::1", "2001:db8:1111:2222:3333:4444:5555:6666"),
);
const comm = fc.oneof(
  fc.constantFrom(
    "",
    "curl",
    "exactly16chars16",
    'q"uo,te\\',
    "näginx",
    "\u202ex\u{e0001}",
    "日本語",
  ),
  fc.string({ unit: "grapheme", maxLength: 16 }),
  fc.uint8Array({ maxLength: 15 }),
);
/** A time near a session's, or any time at all. */
const time = fc.oneof(fc.bigInt(4_000_000_000n, 5_000_000_000_000n), u64);

const record: fc.Arbitrary<Partial<RecordFields>> = fc.record({
  wall_offset_ns: fc.oneof(fc.bigInt(0n, 2n ** 61n), u64),
  start_ns: time,
  established_ns: time,
  fin_sent_ns: time,
  fin_received_ns: time,
  end_ns: time,
  cookie: u64,
  bytes_acked: u64,
  bytes_received: u64,
  owner_process_start_ns: u64,
  owner_pid: u32.map((pid) => pid === 0 ? 0 : pid % 2 ** 31 + 2 ** 22), // nobody's
  owner_uid: u32,
  owner_comm: comm,
  owner_exe: comm,
  owner_source: fc.nat(6),
  netns: u32,
  data_segs_in: u32,
  srtt_us: u32,
  rtt_min_us: u32,
  handshake_rtt_us: u32,
  flags: fc.subarray(Object.values(FLAG)).map((flags) =>
    flags.reduce((all, flag) => all | flag, 0)
  ),
  interim: fc.oneof(fc.constant(0), u32),
  ifindex: fc.constantFrom(0, 1, 4711),
  local_port: u16,
  peer_port: u16,
  err: fc.constantFrom(0, 104, 110, 111),
  last_state: fc.constantFrom(...TCP_STATES),
  role: fc.nat(3),
  shutdown: u8,
  local_address: address,
  peer_address: address,
}, { requiredKeys: [] });
const records = fc.array(record, { maxLength: 20 });
const batches = fc.array(records, { minLength: 1, maxLength: 3 });

const CLOCKS = [false, true].flatMap((time) =>
  [false, true].map((timestamp) => ({ time, timestamp }))
);

for (const clocks of CLOCKS) {
  const shown = `${clocks.time ? " -T" : ""}${clocks.timestamp ? " -t" : ""}`;
  for (const wide of [false, true]) {
    Deno.test(`${wide ? "wide" : "table"}${shown}: the bytes of any records are those of plain text`, () => {
      check(() => new TableFormat({ wide, ...clocks }), () => plainTable(wide, clocks));
    });
  }
  Deno.test(`csv${shown}: the bytes of any records are those of plain text`, () => {
    check(() => new CsvFormat(clocks), () => plainCsv(clocks));
  });
}

/** Resources without the names of span attributes or members, with some, and with numbers. */
const RESOURCES: Readonly<Record<string, Attributes>> = {
  "resources beside": { "test.text": 'zwölf "Boxkämpfer" \u{1f94a}\u202e\n', "test.list": ["a"] },
  "resources with names of attributes": { "error.type": "none", "network.transport": [1, 2] },
  "resources with names of members": { parent_span_id: "x", events: "y", name: "z" },
  "resources with numbers as names": { "7": true, "a": 0.5 },
};

for (const [name, attributes] of Object.entries(RESOURCES)) {
  Deno.test(`json: the lines of any records, ${name}, are what JSON.stringify makes of spans`, () => {
    const spans = new SpanMapper(
      new IdHasher("test"),
      new ProcessResources({ attributes, commandLine: false, fromProcessEnv: false }),
      new ParentRule({ parent: "always", peers: [] }),
      new PortRange(32768, 60999),
    );
    check(() => new JsonFormat(spans), () => (session) => plainJson(spans.toSpan(session)));
  });
}

Deno.test("writeMilliseconds() rounds each microsecond as C does, whatever is before the point", () => {
  const target = new DataView(new ArrayBuffer(64));
  const whole = fc.oneof(fc.nat(2 ** 20), fc.maxSafeNat().map((us) => Math.floor(us / 1001)));
  fc.assert(fc.property(whole, (ms) => {
    for (let us = ms * 1000; us < ms * 1000 + 1000; us++) {
      const end = writeMilliseconds(us, target, 0);
      assert.equal(decoder.decode(new Uint8Array(target.buffer, 0, end)), plainMilliseconds(us));
    }
  }));
});

/** A formatter writes some batches; the bytes of each are compared before the next. */
function check(format: () => StdoutFormat, plain: () => (session: Session) => string): void {
  fc.assert(
    fc.property(batches, (parts) => {
      const formatOf = format();
      const plainOf = plain();
      for (const part of parts) {
        const batch = makeBatch(...part);
        assert.equal(decoder.decode(formatOf.format(batch)), plainText(batch, plainOf));
      }
    }),
    { numRuns: 300 },
  );
}

function plainText(batch: SessionBatch, row: (session: Session) => string): string {
  return Array.from(batch, (session) => `${row(session)}\n`).join("");
}

interface Clocks {
  readonly time: boolean;
  readonly timestamp: boolean;
}

/** The columns of -T and -t, from the first session on. */
function plainClocks({ time, timestamp }: Clocks): (session: Session) => string[] {
  let first: bigint | undefined;
  return (session) => {
    const end = new Date(Number(session.endUnixNs / 1_000_000_000n) * 1000);
    const us = plainEndUs(session);
    first ??= us;
    return [
      ...(time ? [end.toTimeString().slice(0, 8)] : []),
      ...(timestamp ? [(Number(us - first) / 1e6).toFixed(6)] : []),
    ];
  };
}

/** Microseconds of the boot clock. */
function plainEndUs(session: Session): bigint {
  const low = BigInt(session.word(RECORD.end_ns) >>> 0);
  return (BigInt(session.word(RECORD.end_ns + 4) >>> 0) << 32n | low) / 1000n;
}

function plainTable(wide: boolean, clocks: Clocks): (session: Session) => string {
  const clocksOf = plainClocks(clocks);
  const [name, address, kilobytes] = wide ? [16, 39, 6] : [10, 15, 5];
  return (session) =>
    [
      ...clocksOf(session).map((text, i) => text.padEnd(i === 0 && clocks.time ? 8 : 9)),
      String(session.pid ?? 0).padEnd(5),
      (printable(session.commBytes, name) || "-").padEnd(name),
      ...(wide ? [(session.family === "ipv4" ? "4" : "6").padEnd(2)] : []),
      session.localAddress.padEnd(address),
      String(session.localPort).padEnd(5),
      session.peerAddress.padEnd(address),
      String(session.peerPort).padEnd(5),
      String(Math.floor(session.txBytes / 1024)).padStart(kilobytes),
      String(Math.floor(session.rxBytes / 1024)).padStart(kilobytes),
      plainMilliseconds(session.lifeUs),
    ].join(" ");
}

function plainCsv(clocks: Clocks): (session: Session) => string {
  const clocksOf = plainClocks(clocks);
  return (session) => {
    const name = printable(session.commBytes);
    return [
      ...clocksOf(session),
      session.pid ?? 0,
      /[,"]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name,
      session.family === "ipv4" ? 4 : 6,
      session.localAddress,
      session.localPort,
      session.peerAddress,
      session.peerPort,
      Math.floor(session.txBytes / 1024),
      Math.floor(session.rxBytes / 1024),
      plainMilliseconds(session.lifeUs),
    ].join(",");
  };
}

/** Like C's `%.2f`: of two equally near values it takes the even one, toFixed the larger one. */
function plainMilliseconds(us: number): string {
  const tie = us % 500 === 125; // .125 and .625 are exact in binary; .375 and .875 round up in both
  return ((tie ? us - 5 : us) / 1000).toFixed(2);
}

function plainJson(span: ReadableSpan): string {
  const { traceId, spanId } = span.spanContext();
  const members = {
    trace_id: traceId,
    span_id: spanId,
    parent_span_id: span.parentSpanContext?.spanId,
    name: span.name,
    kind: SpanKind[span.kind],
    status: span.status.code === SpanStatusCode.ERROR ? "Error" : "Unset",
    status_message: span.status.message,
    start: plainTime(span.startTime),
    end: plainTime(span.endTime),
    events: span.events.length === 0
      ? undefined
      : span.events.map(({ name, time }) => ({ name, time: plainTime(time) })),
  };
  // a member stays at its first place, and has the last value
  return printableJson(
    JSON.stringify({ ...members, ...span.resource.attributes, ...span.attributes, ...members }),
  );
}

function plainTime([seconds, nanoseconds]: HrTime): string {
  return formatRfc3339(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds), 9);
}

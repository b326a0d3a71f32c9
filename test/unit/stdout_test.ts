import assert from "node:assert/strict";
import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { StdoutExporter, stdoutExporter } from "../../exporters/stdout/stdout.ts";
import { writeMilliseconds } from "../../exporters/stdout/columns.ts";
import { CsvFormat } from "../../exporters/stdout/csv.ts";
import type { StdoutFormat } from "../../exporters/stdout/format.ts";
import { JsonFormat } from "../../exporters/stdout/json.ts";
import { LineOutput } from "../../exporters/stdout/line_output.ts";
import { TableFormat } from "../../exporters/stdout/table.ts";
import type { SessionBatch } from "../../src/session/batch.ts";
import { UsageError } from "../../src/messages/errors.ts";
import type { ExportOutcome } from "../../src/exporter.ts";
import { Id } from "../../src/ids/ids.ts";
import { printable } from "../../src/messages/printable.ts";
import { OWNER } from "../../src/session/record_layout.ts";
import type { Session } from "../../src/session/session.ts";
import {
  FixedAttributes,
  FixedText,
  type SpanHead,
  type SpanSource,
} from "../../src/span/span_sink.ts";
import { UnixTime } from "../../src/bytes/unix_time.ts";
import { makeContext, makeSpanMapper } from "../exporter_context.ts";
import { END_UNIX_NS, makeBatch, type RecordFields } from "../fixtures.ts";

const decoder = new TextDecoder();

const PLAIN = { time: false, timestamp: false };
const SYN_AND_FIN = 2; // bytes_acked of an active end that closed counts them
const FIN = 1;

/** Sessions of curl, nginx, an unknown owner and a hostile name. */
const SESSIONS: Partial<RecordFields>[] = [
  {},
  {
    owner_pid: 4194304,
    owner_comm: "nginx: worker p", // 15 bytes: what the kernel keeps
    local_address: "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    local_port: 443,
    peer_address: "fe80::1",
    peer_port: 65535,
    bytes_acked: 1024 ** 3 + SYN_AND_FIN,
    bytes_received: 1023 + FIN,
    established_ns: 5_000_000_000 - 1_234_567_999,
  },
  { owner_pid: 0, owner_comm: "", owner_exe: "", owner_source: OWNER.UNKNOWN },
  { owner_pid: 7, owner_comm: '\x1b[2J,"\\' },
  { last_state: "syn_sent", peer_address: "255.255.255.255" },
];

Deno.test("table: tcplife's columns; a long address moves the rest, as in tcplife", () => {
  assert.equal(
    lines(new TableFormat({ ...PLAIN, wide: false }), SESSIONS),
    `\
PID   COMM       LADDR           LPORT RADDR           RPORT TX_KB RX_KB MS
1234  curl       127.0.0.1       40000 127.0.0.1       443       0     1 10.00
4194304 nginx: wor 2001:db8:85a3:8d3:1319:8a2e:370:7348 443   fe80::1         65535 1048576     0 1234.57
0     -          127.0.0.1       40000 127.0.0.1       443       0     1 10.00
7     \\x1b[2J,"  127.0.0.1       40000 127.0.0.1       443       0     1 10.00
1234  curl       127.0.0.1       40000 255.255.255.255 443       0     0 12.00
`,
  );
});

Deno.test("wide: the columns of tcplife -w", () => {
  assert.equal(
    lines(new TableFormat({ ...PLAIN, wide: true }), SESSIONS),
    `\
PID   COMM             IP LADDR                                   LPORT RADDR                                   RPORT  TX_KB  RX_KB MS
1234  curl             4  127.0.0.1                               40000 127.0.0.1                               443        0      1 10.00
4194304 nginx: worker p  6  2001:db8:85a3:8d3:1319:8a2e:370:7348    443   fe80::1                                 65535 1048576      0 1234.57
0     -                4  127.0.0.1                               40000 127.0.0.1                               443        0      1 10.00
7     \\x1b[2J,"\\\\      4  127.0.0.1                               40000 127.0.0.1                               443        0      1 10.00
1234  curl             4  127.0.0.1                               40000 255.255.255.255                         443        0      0 12.00
`,
  );
});

Deno.test("csv: the columns of tcplife -s, whole names, quoted where RFC 4180 demands it", () => {
  assert.equal(
    lines(new CsvFormat(PLAIN), SESSIONS),
    `\
PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS
1234,curl,4,127.0.0.1,40000,127.0.0.1,443,0,1,10.00
4194304,nginx: worker p,6,2001:db8:85a3:8d3:1319:8a2e:370:7348,443,fe80::1,65535,1048576,0,1234.57
0,,4,127.0.0.1,40000,127.0.0.1,443,0,1,10.00
7,"\\x1b[2J,""\\\\",4,127.0.0.1,40000,127.0.0.1,443,0,1,10.00
1234,curl,4,127.0.0.1,40000,255.255.255.255,443,0,0,12.00
`,
  );
});

/** Sessions that end at these times after the first one; the second ends before it. */
const LATER: Partial<RecordFields>[] = [0n, -1_000n, 1_500_000n, 3_661_000_001_999n]
  .map((ns) => ({ end_ns: 5_000_000_000n + ns }));

/** Clocks in India show 08:34:05 at the end of the first. */
const CLOCK_CASES: [name: string, format: () => StdoutFormat, starts: string[]][] = [
  [
    "-T puts the local time of the session's end before a row",
    () => new TableFormat({ wide: false, time: true, timestamp: false }),
    ["TIME     PID  ", "08:34:05 1234 ", "08:34:04 1234 ", "08:34:05 1234 ", "09:35:06 1234 "],
  ],
  [
    "-t puts the seconds since the first row before a row",
    () => new TableFormat({ wide: false, time: false, timestamp: true }),
    ["TIME(s)   PID ", "0.000000  1234", "-0.000001 1234", "0.001500  1234", "3661.000001 12"],
  ],
  [
    "-T comes before -t",
    () => new TableFormat({ wide: true, time: true, timestamp: true }),
    [
      "TIME     TIME(s)   PID ",
      "08:34:05 0.000000  1234",
      "08:34:04 -0.000001 1234",
      "08:34:05 0.001500  1234",
      "09:35:06 3661.000001 12",
    ],
  ],
  [
    "-T and -t are columns of a csv",
    () => new CsvFormat({ time: true, timestamp: true }),
    [
      "TIME,TIME(s),PID,COMM,",
      "08:34:05,0.000000,1234",
      "08:34:04,-0.000001,123",
      "08:34:05,0.001500,1234",
      "09:35:06,3661.000001,1",
    ],
  ],
  [
    "-T alone is a column of a csv",
    () => new CsvFormat({ time: true, timestamp: false }),
    ["TIME,PID", "08:34:05,1234", "08:34:04,1234", "08:34:05,1234", "09:35:06,1234"],
  ],
  [
    "-t alone is a column of a csv",
    () => new CsvFormat({ time: false, timestamp: true }),
    ["TIME(s),PID", "0.000000,1234", "-0.000001,1234", "0.001500,1234", "3661.000001,1234"],
  ],
];

for (const [name, format, starts] of CLOCK_CASES) {
  Deno.test(name, () => {
    const text = inTimeZone("Asia/Kolkata", () => lines(format(), LATER));
    assert.deepEqual(
      text.trimEnd().split("\n").map((line, i) => line.slice(0, starts[i]?.length)),
      starts,
    );
  });
}

Deno.test("-t counts from the very first row, and steps of the wall clock do not count", () => {
  const format = new CsvFormat({ time: false, timestamp: true });
  format.format(makeBatch({}));
  const hour = 3_600_000_000_000n;
  const later = makeBatch({ end_ns: 5_000_250_000n, wall_offset_ns: END_UNIX_NS + hour });
  assert.match(rows(format, later), /^0\.000250,/);
});

Deno.test("MS rounds as C's printf does, also ties to the even digit", () => {
  const cases: [us: number, ms: string][] = [
    [0, "0.00"],
    [4, "0.00"],
    [5, "0.01"], // 0.005 lies above the half in binary
    [15, "0.01"], // and 0.015 below it
    [125, "0.12"],
    [375, "0.38"],
    [625, "0.62"],
    [875, "0.88"],
    [1_005, "1.00"],
    [1_125, "1.12"],
    [9_999_995, "10000.00"],
    [86_400_000_625, "86400000.62"],
  ];
  const target = new DataView(new ArrayBuffer(64));
  for (const [us, ms] of cases) {
    const end = writeMilliseconds(us, target, 0);
    assert.equal(decoder.decode(new Uint8Array(target.buffer, 0, end)), ms, `${us} µs`);
  }
});

const rowArbitrary = fc.record({
  pid: fc.nat(4_194_304),
  comm: fc.string({ unit: fc.constantFrom(..."azAZ09 :/-_#%"), minLength: 1, maxLength: 15 }),
  addresses: fc.constantFrom(
    ["4", "10.0.0.1", "192.168.100.200"] as const,
    ["4", "1.2.3.4", "255.255.255.255"] as const,
    ["6", "::1", "::1"] as const,
    ["6", "2001:db8:1111:2222:3333:4444:5555:6666", "fe80::1"] as const,
  ),
  localPort: fc.nat(65535),
  peerPort: fc.nat(65535),
  tx: fc.nat(2 ** 40),
  rx: fc.nat(2 ** 40),
  us: fc.oneof(fc.nat(2 ** 40), fc.nat(4000).map((eighth) => eighth * 125)),
});
type Row = typeof rowArbitrary extends fc.Arbitrary<infer T> ? T : never;

const PRINTF_CASES: { name: string; wide: boolean; header: string; row: string }[] = [
  {
    name: "table",
    wide: false,
    header: "%-5s %-10.10s %s%-15s %-5s %-15s %-5s %5s %5s %s\\n",
    row: "%-5d %-10.10s %s%-15s %-5d %-15s %-5d %5d %5d %.2f\\n",
  },
  {
    name: "wide",
    wide: true,
    header: "%-5s %-16.16s %-2s %-39s %-5s %-39s %-5s %6s %6s %s\\n",
    row: "%-5d %-16.16s %-2s %-39s %-5d %-39s %-5d %6d %6d %.2f\\n",
  },
];

for (const { name, wide, header, row } of PRINTF_CASES) {
  Deno.test(`${name}: header and rows are what printf makes of tcplife's formats`, () => {
    const format = new TableFormat({ ...PLAIN, wide });
    const names = "PID COMM IP LADDR LPORT RADDR RPORT TX_KB RX_KB MS".split(" ");
    assert.equal(format.header, printf(header, wide ? names : names.with(2, "")));
    fc.assert(
      fc.property(fc.array(rowArbitrary, { minLength: 1, maxLength: 100 }), (values) => {
        const text = rows(format, makeBatch(...values.map(recordOf)));
        assert.equal(text, printf(row, values.flatMap((values) => printfArguments(values, wide))));
      }),
      { numRuns: 30 },
    );
  });
}

Deno.test("csv: a reader of RFC 4180 gets any name back whole, one record per line", () => {
  const bytes = fc.uint8Array({ min: 1, minLength: 1, maxLength: 15 });
  const hostile = fc.string({ unit: fc.constantFrom(...',"\n\r\\ax'), minLength: 1, maxLength: 15 })
    .map((text) => new TextEncoder().encode(text));
  fc.assert(fc.property(fc.array(fc.oneof(bytes, hostile)), (names) => {
    const batch = makeBatch(...names.map((owner_comm) => ({ owner_comm })));
    const records = parseCsv(rows(new CsvFormat(PLAIN), batch));
    assert.deepEqual(records.map((fields) => fields.length), names.map(() => 10));
    assert.deepEqual(records.map((fields) => fields[1]), names.map((name) => printable(name)));
  }));
});

/** The span of a failed session, with a parent, events, and attributes that are hard to print. */
const SPAN: ReadableSpan = {
  name: "tcp 443",
  kind: SpanKind.SERVER,
  spanContext: () => ({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  }),
  parentSpanContext: {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "00f067aa0ba902b7",
    traceFlags: 1,
  },
  startTime: [1_767_323_044, 7],
  endTime: [1_767_323_045, 0],
  duration: [0, 999_999_993],
  status: { code: SpanStatusCode.ERROR, message: "the peer reset the connection" },
  resource: resourceFromAttributes({ "service.name": "nginx", "host.name": "h", name: "mine" }),
  attributes: {
    "thread.name": "a\u202eb\x9b\n",
    "tcpspan.tx.bytes": 2 ** 40,
    "host.name": "span's",
  },
  events: [
    { name: "tcpspan.established", time: [1_767_323_044, 123_456_789] },
    { name: "tcpspan.reset.received", time: [1_767_323_045, 0] },
  ],
  links: [],
  ended: true,
  instrumentationScope: { name: "tcpspan" },
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0,
};

Deno.test("json: identity, times with nine digits, events, then flat attributes; nothing invisible", () => {
  assert.equal(
    rows(new JsonFormat(sourceOf(SPAN)), makeBatch({})),
    '{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331",' +
      '"parent_span_id":"00f067aa0ba902b7","name":"tcp 443","kind":"SERVER","status":"Error",' +
      '"status_message":"the peer reset the connection",' +
      '"start":"2026-01-02T03:04:04.000000007Z","end":"2026-01-02T03:04:05.000000000Z",' +
      '"events":[{"name":"tcpspan.established","time":"2026-01-02T03:04:04.123456789Z"},' +
      '{"name":"tcpspan.reset.received","time":"2026-01-02T03:04:05.000000000Z"}],' +
      '"service.name":"nginx","host.name":"span\'s",' +
      '"thread.name":"a\\u202eb\\u009b\\n","tcpspan.tx.bytes":1099511627776}\n',
  );
});

Deno.test("json: a trace state is a member", () => {
  const spans = makeSpanMapper({ ratio: 0.1 });
  const line = JSON.parse(decoder.decode(new JsonFormat(spans).format(makeBatch({}))));
  assert.equal(line["trace_state"], "ot=th:e666");
});

Deno.test("json: without parent, events or status message there is no member for them", () => {
  const { parentSpanContext: _, ...orphan } = SPAN;
  const span: ReadableSpan = {
    ...orphan,
    kind: SpanKind.CLIENT,
    status: { code: SpanStatusCode.UNSET },
    events: [],
  };
  assert.deepEqual(JSON.parse(rows(new JsonFormat(sourceOf(span)), makeBatch({}))), {
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    span_id: "b7ad6b7169203331",
    name: "tcp 443",
    kind: "CLIENT",
    status: "Unset",
    start: "2026-01-02T03:04:04.000000007Z",
    end: "2026-01-02T03:04:05.000000000Z",
    "service.name": "nginx",
    "host.name": "span's",
    "thread.name": "a\u202eb\x9b\n",
    "tcpspan.tx.bytes": 1099511627776,
  });
});

Deno.test("json: one line for each session, in the batch's order", () => {
  const format = new JsonFormat(sourceOf(SPAN, (session) => ({
    namedPort: session.peerPort,
    kind: SpanKind.INTERNAL,
  })));
  const text = rows(format, makeBatch({ peer_port: 1 }, { peer_port: 2 }, { peer_port: 3 }));
  const parsed = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(parsed.map(({ name, kind }) => [name, kind]), [
    ["tcp 1", "INTERNAL"],
    ["tcp 2", "INTERNAL"],
    ["tcp 3", "INTERNAL"],
  ]);
});

Deno.test("json: any attribute can be read back unchanged", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (key, value) => {
      const attributes = Object.fromEntries([[`x.${key}`, value], ["__proto__", value]]);
      const text = rows(new JsonFormat(sourceOf({ ...SPAN, attributes })), makeBatch({}));
      const parsed = new Map(Object.entries(JSON.parse(text)));
      assert.equal(parsed.get(`x.${key}`), value);
      assert.equal(parsed.get("__proto__"), value);
    }),
  );
});

for (const [flag, key] of [["-T", "time"], ["-t", "timestamp"]] as const) {
  Deno.test(`json: ${flag} is a usage error, as the key ${key} is`, async () => {
    await assert.rejects(
      async () => {
        const settings = { format: "json", time: false, timestamp: false, [key]: true } as const;
        await stdoutExporter.open(settings, makeContext("stdout", "."));
      },
      new UsageError(
        `cannot use ${flag}: exporters.stdout has format: json, where each line has start and end`,
      ),
    );
  });
}

Deno.test("no session is no text, in any format", () => {
  const none = makeBatch();
  assert.equal(rows(new TableFormat({ ...PLAIN, wide: false }), none), "");
  assert.equal(rows(new CsvFormat(PLAIN), none), "");
  assert.equal(rows(new JsonFormat(sourceOf(SPAN)), none), "");
  assert.equal(new JsonFormat(sourceOf(SPAN)).header, "");
});

Deno.test("the queue takes 100000 sessions, and one consumer hands over at most 4096 at once", () => {
  assert.deepEqual(stdoutExporter.queue({ format: "table", ...PLAIN }), {
    queueSize: 100_000,
    consumers: 1,
    batchSize: 4096,
    linger: 0,
    whenFull: "drop_newest",
    storage: undefined,
    retry: undefined,
  });
});

const forever = new AbortController().signal;

/** A reader of stdout that does what `answers` say, in turn, and then takes everything. */
class Reader {
  readonly #answers: (Error | number)[];
  readonly #decoder = new TextDecoder();
  text = "";
  writes = 0;
  stops = 0;

  constructor(...answers: (Error | number)[]) {
    this.#answers = answers;
  }

  exporter(format: StdoutFormat = ROWS): StdoutExporter {
    return new StdoutExporter({ format, output: this.output, stop: () => this.stops++ });
  }

  readonly output = new LineOutput((bytes) => {
    this.writes++;
    const answer = this.#answers.shift() ?? bytes.length;
    if (answer instanceof Error) return Promise.reject(answer);
    this.text += this.#decoder.decode(bytes.subarray(0, answer), { stream: true });
    return Promise.resolve(Math.min(answer, bytes.length));
  });
}

/** A short row for each session: its pid. */
const ROWS: StdoutFormat = {
  header: "PID\n",
  format: (batch) =>
    new TextEncoder().encode([...batch].map((session) => `${session.pid}\n`).join("")),
};

Deno.test("export() writes a batch at once", async () => {
  const reader = new Reader();
  const outcome = await reader.exporter().export(
    makeBatch({ owner_pid: 1 }, { owner_pid: 2 }),
    forever,
  );
  assert.deepEqual(outcome, { status: "success" });
  assert.equal(reader.text, "1\n2\n");
  assert.equal(reader.writes, 1);
});

Deno.test("export() continues if a write took only a part", async () => {
  const reader = new Reader(3, 1, 0, 2);
  const exporter = reader.exporter();
  await exporter.export(makeBatch({ owner_pid: 1234 }, { owner_pid: 5678 }), forever);
  await exporter.export(makeBatch({ owner_pid: 9 }), forever);
  assert.equal(reader.text, "1234\n5678\n9\n");
});

Deno.test("export() waits for room in a full non-blocking pipe", async () => {
  const full = () => new Deno.errors.WouldBlock("Resource temporarily unavailable");
  const reader = new Reader(full(), 2, full(), full());
  const outcome = await reader.exporter().export(makeBatch({ owner_pid: 1234 }), forever);
  assert.deepEqual(outcome, { status: "success" });
  assert.equal(reader.text, "1234\n");
});

Deno.test("start() prints the header once, before any session has ended", async () => {
  const reader = new Reader();
  const exporter = reader.exporter();
  await exporter.start(forever);
  assert.equal(reader.text, "PID\n");
  await exporter.export(makeBatch({ owner_pid: 1 }), forever);
  await exporter.export(makeBatch({ owner_pid: 2 }), forever);
  assert.equal(reader.text, "PID\n1\n2\n");
});

Deno.test("start() writes nothing for a format without a header", async () => {
  const reader = new Reader();
  await reader.exporter({ ...ROWS, header: "" }).start(forever);
  assert.equal(reader.writes, 0);
});

for (
  const gone of [new Deno.errors.BrokenPipe("EPIPE"), new Deno.errors.ConnectionReset("ECONNRESET")]
) {
  Deno.test(`a reader that has gone (${gone.message}) ends the program once and is not an error`, async () => {
    const reader = new Reader(2, gone);
    const exporter = reader.exporter();
    for (const owner_pid of [11, 22, 33]) {
      assert.deepEqual(await exporter.export(makeBatch({ owner_pid }), forever), {
        status: "success",
      });
    }
    assert.equal(reader.stops, 1);
    assert.equal(reader.writes, 2);
    await exporter.shutdown();
  });
}

Deno.test("a reader that has gone before the header ends the program and is not an error", async () => {
  const reader = new Reader(new Deno.errors.BrokenPipe("EPIPE"));
  const exporter = reader.exporter();
  await exporter.start(forever);
  assert.equal(reader.stops, 1);
  assert.deepEqual(await exporter.export(makeBatch({}), forever), { status: "success" });
  assert.equal(reader.writes, 1);
});

Deno.test("a failed write is a failure with its reason, and does not stop the program", async () => {
  const reader = new Reader(new Error("No space left on device (os error 28)"));
  const exporter = reader.exporter();
  assert.deepEqual(await exporter.export(makeBatch({ owner_pid: 1 }), forever), {
    status: "failure",
    reason: "cannot write to stdout: No space left on device (os error 28)",
    delivered: 0,
    unfinished: undefined,
  });
  assert.equal(reader.stops, 0);
  await exporter.export(makeBatch({ owner_pid: 2 }), forever);
  assert.equal(reader.text, "2\n");
});

const FULL = new Error("No space left on device");

Deno.test("a row that a failure cut off is finished by the next write that works", async () => {
  const reader = new Reader(2, FULL, FULL, 1, FULL);
  const exporter = reader.exporter();
  for (const owner_pid of [1234, 5678, 5679, 9]) {
    await exporter.export(makeBatch({ owner_pid }), forever);
  }
  assert.equal(reader.text, "1234\n9\n");
});

Deno.test("rows that were written whole before a failure count as delivered", async () => {
  const reader = new Reader(8, FULL, FULL, 3);
  const exporter = reader.exporter();
  const batch = makeBatch({ owner_pid: 11 }, { owner_pid: 22 }, { owner_pid: 33333 }, {});
  const { unfinished, ...outcome } = failureOf(await exporter.export(batch, forever));
  assert.deepEqual(outcome, {
    status: "failure",
    reason: "cannot write to stdout: No space left on device",
    delivered: 2,
  });
  const isFinished = watch(unfinished);
  assert.equal(await isFinished(), false);
  await exporter.export(makeBatch({ owner_pid: 44 }), forever);
  assert.equal(await isFinished(), false, "after another failure");
  await exporter.export(makeBatch({ owner_pid: 55 }), forever);
  assert.equal(await isFinished(), true);
  assert.equal(reader.text, "11\n22\n33333\n55\n");
});

Deno.test("a failure between two rows leaves none unfinished", async () => {
  const reader = new Reader(3, FULL);
  const exporter = reader.exporter();
  const batch = makeBatch({ owner_pid: 11 }, { owner_pid: 22 });
  const { delivered, unfinished } = failureOf(await exporter.export(batch, forever));
  assert.deepEqual([delivered, unfinished], [1, undefined]);
  await exporter.export(makeBatch({ owner_pid: 33 }), forever);
  assert.equal(reader.text, "11\n33\n");
});

Deno.test("a row that was cut off is kept although the format writes into its memory again", async () => {
  const reader = new Reader(5, FULL);
  const exporter = reader.exporter(new CsvFormat(PLAIN));
  await exporter.export(makeBatch({ owner_pid: 1111 }), forever);
  await exporter.export(makeBatch({ owner_pid: 2222 }), forever);
  assert.deepEqual(parseCsv(reader.text).map(([pid]) => pid), ["1111", "2222"]);
  const [first, second] = reader.text.split("\n");
  assert.equal(first?.replace("1111", "2222"), second);
});

Deno.test("shutdown() tries once more to finish a row that was cut off", async () => {
  for (const [answers, text, finished] of [[[], "1234\n", true], [[FULL], "12", false]] as const) {
    const reader = new Reader(2, FULL, ...answers);
    const exporter = reader.exporter();
    const outcome = failureOf(await exporter.export(makeBatch({ owner_pid: 1234 }), forever));
    const isFinished = watch(outcome.unfinished);
    await exporter.shutdown();
    assert.equal(await isFinished(), finished);
    assert.equal(reader.text, text);
  }
});

Deno.test("an exporter that takes another's place finishes the row that was cut off", async () => {
  const reader = new Reader(2, FULL, FULL);
  const before = reader.exporter();
  const outcome = failureOf(await before.export(makeBatch({ owner_pid: 1234 }), forever));
  const isFinished = watch(outcome.unfinished);
  await before.shutdown();
  const after = reader.exporter();
  await after.start(forever);
  await after.export(makeBatch({ owner_pid: 9 }), forever);
  assert.equal(reader.text, "1234\nPID\n9\n");
  assert.equal(await isFinished(), true);
});

Deno.test("two exporters that write at the same time do not mix their rows", async () => {
  const reader = new Reader(2, FULL, 1);
  const [one, other] = [reader.exporter(), reader.exporter()];
  const outcomes = await Promise.all([
    one.export(makeBatch({ owner_pid: 1234 }), forever),
    other.export(makeBatch({ owner_pid: 5678 }), forever),
    one.export(makeBatch({ owner_pid: 9 }), forever),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["failure", "success", "success"]);
  assert.equal(reader.text, "1234\n5678\n9\n");
});

Deno.test("if an export is given up, others wait for its write, and finish the row it cut off", async () => {
  const { promise: reading, resolve: read } = Promise.withResolvers<number>();
  let text = "";
  const output = new LineOutput(async (bytes) => {
    const some = text === "" ? await reading : bytes.length;
    text += new TextDecoder().decode(bytes.subarray(0, some));
    return some;
  });
  const exporter = () => new StdoutExporter({ format: ROWS, output, stop: assert.fail });
  const giveUp = new AbortController();
  const given = exporter().export(
    makeBatch({ owner_pid: 1111 }, { owner_pid: 2222 }),
    giveUp.signal,
  );
  const other = exporter().export(makeBatch({ owner_pid: 3333 }), forever);
  const impatient = exporter().export(makeBatch({ owner_pid: 4444 }), giveUp.signal);
  await new Promise((resolve) => setTimeout(resolve, 0)); // the first one writes
  giveUp.abort();
  assert.deepEqual([(await given).status, (await impatient).status], ["failure", "failure"]);
  assert.equal(text, "");
  read(7);
  assert.deepEqual(await other, { status: "success" });
  assert.equal(text, "1111\n2222\n3333\n");
});

Deno.test("a row that was cut off is kept if the export after it is given up", async () => {
  const reader = new Reader(2, FULL);
  const exporter = reader.exporter();
  const outcome = failureOf(await exporter.export(makeBatch({ owner_pid: 1234 }), forever));
  const isFinished = watch(outcome.unfinished);
  await exporter.export(makeBatch({ owner_pid: 5678 }), AbortSignal.abort());
  assert.equal(await isFinished(), false);
  await exporter.export(makeBatch({ owner_pid: 9 }), forever);
  assert.equal(await isFinished(), true);
  assert.equal(reader.text, "1234\n9\n");
});

Deno.test("if the reader goes away after a row was cut off, nothing counts as lost", async () => {
  const reader = new Reader(2, FULL, new Deno.errors.BrokenPipe("EPIPE"));
  const exporter = reader.exporter();
  const outcome = failureOf(await exporter.export(makeBatch({ owner_pid: 1234 }), forever));
  const isFinished = watch(outcome.unfinished);
  assert.deepEqual(await exporter.export(makeBatch({}), forever), { status: "success" });
  assert.equal(await isFinished(), true);
  await exporter.shutdown();
  assert.deepEqual([reader.text, reader.stops, reader.writes], ["12", 1, 3]);
});

Deno.test("after any failures there are only whole rows, as many as count as delivered", async () => {
  const answer = fc.oneof(fc.nat(30), fc.constant(FULL));
  const pids = fc.array(fc.nat(4_194_304), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(answer), fc.array(pids), async (answers, batches) => {
      const reader = new Reader(...answers);
      const exporter = reader.exporter();
      let delivered = 0;
      for (const batch of batches) {
        const records = batch.map((owner_pid) => ({ owner_pid }));
        const outcome = await exporter.export(makeBatch(...records), forever);
        if (outcome.status === "success") {
          delivered += batch.length;
        } else {
          const { delivered: whole = 0, unfinished } = failureOf(outcome);
          delivered += whole;
          unfinished?.then(() => delivered++);
        }
      }
      await exporter.shutdown();
      const rows = reader.text.split("\n");
      const cutOff = rows.pop() ?? "";
      const made = batches.flat().map((pid) => pid === 0 ? "undefined" : `${pid}`);
      let from = 0;
      for (const row of rows) {
        const at = made.indexOf(row, from);
        assert.notEqual(at, -1, `${row} is a row`);
        from = at + 1;
      }
      assert.equal(delivered, rows.length);
      assert.ok(cutOff === "" || made.slice(from).some((row) => row.startsWith(cutOff)));
    }),
    { numRuns: 300 },
  );
});

Deno.test("a header that can't be written is a usage error", async () => {
  const reader = new Reader(new Error("No space left on device"));
  await assert.rejects(
    reader.exporter().start(forever),
    new UsageError("cannot write to stdout: No space left on device"),
  );
});

Deno.test("the signal of an export ends its wait for a reader that takes nothing", async () => {
  const patience = new AbortController();
  let writes = 0;
  const writing = Promise.withResolvers<void>();
  const exporter = new StdoutExporter({
    format: ROWS,
    output: new LineOutput(() => {
      writes++;
      writing.resolve();
      return new Promise(() => {});
    }),
    stop: () => assert.fail("the reader is there"),
  });
  const waiting = exporter.export(makeBatch({}), patience.signal);
  await writing.promise;
  patience.abort(new Error("no time was left"));
  const failure = {
    status: "failure",
    reason: "cannot write to stdout: no time was left",
    delivered: 0,
    unfinished: undefined,
  };
  assert.deepEqual(await waiting, failure);
  assert.deepEqual(await exporter.export(makeBatch({}), patience.signal), failure);
  assert.equal(writes, 1);
});

type Failure = Extract<ExportOutcome, { status: "failure" }>;

function failureOf(outcome: ExportOutcome): Failure {
  assert.equal(outcome.status, "failure");
  return outcome as Failure;
}

/** @returns a function that says whether `unfinished` has resolved */
function watch(unfinished: Promise<void> | undefined): () => Promise<boolean> {
  assert.ok(unfinished !== undefined, "a row was cut off");
  let finished = false;
  unfinished.then(() => finished = true);
  return async () => {
    await Promise.resolve(); // lets it resolve if it is about to
    return finished;
  };
}

/** The header and the rows of all sessions, as one text. */
function lines(format: StdoutFormat, sessions: readonly Partial<RecordFields>[]): string {
  return format.header + rows(format, makeBatch(...sessions));
}

/** The rows of a batch as text. */
function rows(format: StdoutFormat, batch: SessionBatch): string {
  return decoder.decode(format.format(batch));
}

/** Describes every session as `span`, with what `own` changes. */
function sourceOf(
  span: ReadableSpan,
  own: (session: Session) => Partial<SpanHead> = () => ({}),
): SpanSource {
  const { traceId, spanId } = span.spanContext();
  const { parentSpanContext: parent, attributes, status } = span;
  const head: SpanHead = {
    trace: idOf(traceId),
    span: idOf(spanId),
    traceState: undefined,
    parent: parent && idOf(parent.spanId),
    parentIsRemote: false,
    namedPort: Number(span.name.replace("tcp ", "")),
    kind: span.kind,
    start: timeOf(span.startTime),
    end: timeOf(span.endTime),
  };
  return {
    resourceOf: () => span.resource,
    toSpan: () => span,
    describe(session, sink) {
      sink.begin({ ...head, ...own(session) });
      sink.fixed(new FixedAttributes(attributes));
      for (const { name, time } of span.events) sink.event(new FixedText(name), timeOf(time));
      sink.end(status.message === undefined ? undefined : new FixedText(status.message));
    },
  };
}

function idOf(hex: string): Id {
  const id = new Id(hex.length === 32 ? 4 : 2);
  new Uint8Array(id.words.buffer).setFromHex(hex);
  return id;
}

function timeOf([seconds, nanoseconds]: HrTime): UnixTime {
  const ns = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
  const time = new UnixTime();
  time.set(Number(BigInt.asIntN(32, ns)), Number(ns >> 32n));
  return time;
}

function inTimeZone<T>(zone: string, run: () => T): T {
  const before = Deno.env.get("TZ");
  Deno.env.set("TZ", zone);
  try {
    return run();
  } finally {
    if (before === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", before);
  }
}

function recordOf(row: Row): Partial<RecordFields> {
  const establishedNs = 999n;
  return {
    owner_pid: row.pid,
    owner_comm: row.comm,
    local_address: row.addresses[1],
    local_port: row.localPort,
    peer_address: row.addresses[2],
    peer_port: row.peerPort,
    bytes_acked: row.tx + SYN_AND_FIN,
    bytes_received: row.rx + FIN,
    established_ns: establishedNs,
    end_ns: establishedNs + BigInt(row.us) * 1000n,
  };
}

function printfArguments(row: Row, ip: boolean): string[] {
  const [version, localAddress, peerAddress] = row.addresses;
  const kilobytes = (bytes: number) => String(BigInt(bytes) >> 10n);
  return [
    String(row.pid),
    row.comm,
    ip ? version : "",
    localAddress,
    String(row.localPort),
    peerAddress,
    String(row.peerPort),
    kilobytes(row.tx),
    kilobytes(row.rx),
    (row.us / 1000).toFixed(60), // all digits of the double: printf's own may be longer
  ];
}

/** What coreutils' printf prints; it repeats the format until it has no arguments left. */
function printf(format: string, args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command("printf", {
    args: [format, ...args],
    env: { LC_ALL: "C" },
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** The records of RFC 4180 text with LF as line end. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    assert.ok(match, `a field at ${at} of ${text}`);
    const [, quoted, plain, end] = match;
    record.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === "\n") {
      records.push(record);
      record = [];
    }
  }
  return records;
}

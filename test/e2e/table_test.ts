/** What a user of tcplife sees: rows, compared with those of the real tcplife. */
import assert from "node:assert/strict";
import { curl, freePort, type Nginx, startNginx } from "./nginx.ts";
import { itemOf, only } from "./choose.ts";
import { headerOf, parseRow, printRow, type Row, type RowFormat } from "./rows.ts";
import { startTcplife } from "./tcplife.ts";
import { startTcpspan } from "./tcpspan.ts";

const TABLE: RowFormat = { format: "table", time: false, timestamp: false };

/** A time zone that no test machine is in, half an hour off, in the form that ICU does not know. */
const ZONE = { name: "IST-5:30", offsetMs: 5.5 * 60 * 60 * 1000 };

Deno.test("a session of curl and nginx: one row for each end, within a second of its close", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan();
  const pad = "x".repeat(5000);
  const report = await curl([nginx.url("/slow")], "--header", `X-Pad: ${pad}`);
  const lines = await tool.stdout.waitForLines(2, (line) => hasPort(line, nginx.port));
  for (const { at } of lines) assert.ok(at - report.ended < 1000, `${at - report.ended} ms late`);

  const rows = lines.map(({ text }) => parseRow(text, TABLE));
  const client = only(rows.filter(({ peerPort }) => peerPort === nginx.port));
  const server = only(rows.filter(({ localPort }) => localPort === nginx.port));
  assert.deepEqual(without(client, "ms"), {
    time: undefined,
    timestamp: undefined,
    pid: report.pid,
    comm: "curl",
    ip: undefined,
    localAddress: "127.0.0.1",
    localPort: report.localPort,
    peerAddress: "127.0.0.1",
    peerPort: nginx.port,
    txKb: Math.trunc(report.sent / 1024),
    rxKb: Math.trunc(report.received / 1024),
  });
  assert.deepEqual(without(server, "ms"), {
    time: undefined,
    timestamp: undefined,
    pid: report.worker, // neither the master, which listens, nor the other worker
    comm: "nginx",
    ip: undefined,
    localAddress: "127.0.0.1",
    localPort: nginx.port,
    peerAddress: "127.0.0.1",
    peerPort: report.localPort,
    txKb: client.rxKb,
    rxKb: client.txKb,
  });
  assert.ok(client.txKb >= 4 && client.rxKb >= 97, "the sizes tell something");
  for (const { ms } of rows) {
    assert.ok(ms > report.connectedMs - 5, `${ms} ms of ${report.connectedMs}`);
    assert.ok(ms < report.ended - report.started + 100, `${ms} ms`);
  }
  assert.equal((await tool.stop("SIGTERM")).status, 0);
});

const FORMATS: readonly (RowFormat & { readonly flags: readonly string[] })[] = [
  { flags: [], ...TABLE },
  { flags: ["-T"], format: "table", time: true, timestamp: false },
  { flags: ["-t"], format: "table", time: false, timestamp: true },
  { flags: ["-tT"], format: "table", time: true, timestamp: true },
  { flags: ["-w"], format: "wide", time: false, timestamp: false },
  { flags: ["-wtT"], format: "wide", time: true, timestamp: true },
  { flags: ["-s"], format: "csv", time: false, timestamp: false },
  { flags: ["-stT"], format: "csv", time: true, timestamp: true },
];

Deno.test("the columns are tcplife's in every format, and all formats show the same", async () => {
  await using stack = new AsyncDisposableStack();
  const nginx = stack.use(await startNginx());
  const tools = await Promise.all(FORMATS.map(async (format) => {
    const tool = stack.use(
      await startTcpspan([...format.flags], { env: { TZ: ZONE.name } }),
    );
    return { format, tool };
  }));
  const reports = [await curl([nginx.url("/")]), await curl([nginx.url("/close", "[::1]")])];
  const told = await Promise.all(tools.map(async ({ format, tool }) => {
    const lines = await tool.stdout.waitForLines(4, (line) => hasPort(line, nginx.port));
    const rows = lines.map(({ text }) => parseRow(text, format));
    assert.equal(tool.stdout.lines[0]?.text, headerOf(format), `${format.flags}`);
    for (const [i, { text, at }] of lines.entries()) {
      const row = itemOf(rows, i);
      assert.equal(printRow(row, format), text, `${format.flags}`);
      if (row.time !== undefined) {
        const clock = (ms: number) => new Date(ms + ZONE.offsetMs).toISOString().slice(11, 19);
        assert.ok([clock(at), clock(at - 1000), clock(at - 2000)].includes(row.time), row.time);
      }
    }
    if (format.timestamp) {
      const first = tool.stdout.lines[1]?.text ?? "";
      assert.equal(parseRow(first, format).timestamp, 0, "the first row printed is at zero");
      const [a, b] = reports.map(({ localPort }) =>
        rows.find((row) => row.localPort === localPort)?.timestamp ?? NaN
      );
      const apart = ((reports[1]?.ended ?? NaN) - (reports[0]?.ended ?? NaN)) / 1000;
      assert.ok(Math.abs((b ?? NaN) - (a ?? NaN) - apart) < 0.1, `${a} ${b} ${apart}`);
    }
    return rows.toSorted((a, b) => endpoints(a) < endpoints(b) ? -1 : 1);
  }));
  for (const rows of told) {
    for (const [i, row] of rows.entries()) {
      const first = itemOf(itemOf(told, 0), i);
      assert.deepEqual(withoutTimes(row), withoutTimes(first));
      // each copy reads the clock itself, and a machine may pause in between
      assert.ok(Math.abs(row.ms - first.ms) < 20, `${row.ms} ms and ${first.ms} ms`);
    }
  }
  const wide = await itemOf(tools, 4).tool.stdout.waitForLines(1, (line) => line.includes("::1"));
  assert.equal(parseRow(itemOf(wide, 0).text, itemOf(FORMATS, 4)).ip, "6");
});

Deno.test("the real tcplife shows the same sessions, ports, sizes and durations", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan();
  await using tcplife = await startTcplife();
  const refused = freePort();
  const clientFirst = [
    await curl([nginx.url("/")]),
    await curl([nginx.url("/slow")]),
    await curl([nginx.url("/"), nginx.url("/")]),
    await curl([nginx.url("/", "[::1]")]),
  ];
  const serverFirst = [
    await curl([nginx.url("/close")]),
    await curl([nginx.url("/close", "[::1]")]),
  ];
  await curl([`http://127.0.0.1:${refused}/`]);
  const count = 2 * (clientFirst.length + serverFirst.length) + 1;

  const theirs = await tcplife.waitForRows(
    count,
    ({ localPort, peerPort }) =>
      [nginx.port, refused].some((port) => port === localPort || port === peerPort),
  );
  const lines = await tool.stdout.waitForLines(
    count,
    (line) => hasPort(line, nginx.port) || hasPort(line, refused),
  );
  const ours = lines.map(({ text }) => parseRow(text, TABLE));
  assert.deepEqual(ours.map(endpoints).sort(), theirs.map(endpoints).sort());

  for (const row of ours) {
    const other = only(theirs.filter((other) => endpoints(other) === endpoints(row)));
    // each reads the clock itself, at the same two events
    assert.ok(Math.abs(row.ms - other.ms) < 1, `${row.ms} ms, tcplife ${other.ms} ms`);
    // tcplife counts SYN and FIN; the sizes here are not near a multiple of 1024
    assert.equal(row.txKb, Math.trunc(other.txKb), endpoints(row));
    assert.equal(row.rxKb, Math.trunc(other.rxKb), endpoints(row));
    // if a server closes first, tcplife shows the process that the last packet interrupted
    if (!serverFirst.some(({ localPort }) => localPort === row.peerPort)) {
      assert.deepEqual([row.pid, row.comm], [other.pid, other.comm], endpoints(row));
    }
  }
  // tcpspan knows them all
  for (const { localPort, worker } of [...clientFirst, ...serverFirst]) {
    const server = only(ours.filter(({ peerPort }) => peerPort === localPort));
    assert.deepEqual([server.pid, server.comm], [worker, "nginx"]);
  }
});

const FILTERS: readonly {
  readonly name: string;
  readonly flags: (nginx: Nginx) => string[];
  /** COMM and LADDR of the rows. */
  readonly seen: readonly string[];
}[] = [
  {
    name: "-L chooses by local port",
    flags: ({ port }) => ["-L", `${port}`],
    seen: ["nginx 127.0.0.1", "nginx ::1"],
  },
  {
    name: "-D chooses by remote port",
    flags: ({ port }) => ["-D", `1,${port}`],
    seen: ["curl 127.0.0.1", "curl ::1"],
  },
  {
    name: "-p chooses by process",
    flags: ({ workers }) => ["-p", workers.join(",")],
    seen: ["nginx 127.0.0.1", "nginx ::1"],
  },
  { name: "-4 -L", flags: ({ port }) => ["-4", "-L", `${port}`], seen: ["nginx 127.0.0.1"] },
  { name: "-6 -D", flags: ({ port }) => ["-6", "-D", `${port}`], seen: ["curl ::1"] },
];

Deno.test("the flags -p -L -D -4 -6 choose sessions", async () => {
  await using stack = new AsyncDisposableStack();
  const nginx = stack.use(await startNginx());
  const tools = await Promise.all(FILTERS.map(async (filter) => ({
    ...filter,
    tool: stack.use(await startTcpspan(filter.flags(nginx))),
  })));
  await curl([nginx.url("/")]);
  await curl([nginx.url("/", "[::1]")]);
  for (const { name, tool, seen } of tools) {
    await tool.stdout.waitForLines(1 + seen.length, () => true);
    const { stdout } = await tool.stop("SIGINT"); // what is in the ring is printed first
    const rows = stdout.trimEnd().split("\n").slice(1).map((line) => parseRow(line, TABLE));
    assert.deepEqual(rows.map((row) => `${row.comm} ${row.localAddress}`).sort(), seen, name);
  }
});

function hasPort(line: string, port: number): boolean {
  return new RegExp(`[ ,]${port}[ ,]`).test(line);
}

function endpoints(
  row: Pick<Row, "localAddress" | "localPort" | "peerAddress" | "peerPort">,
): string {
  return `${row.localAddress} ${row.localPort} ${row.peerAddress} ${row.peerPort}`;
}

function withoutTimes(row: Row): object {
  return without(row, "time", "timestamp", "ip", "ms");
}

function without<T extends object, K extends keyof T>(object: T, ...keys: K[]): Omit<T, K> {
  const copy: Partial<T> = { ...object };
  for (const key of keys) delete copy[key];
  return copy as Omit<T, K>;
}

/** SIGHUP: the config is read again while capture continues, or kept if the new one is wrong. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { Certificates } from "../certificates.ts";
import { accept, OtlpReceiver } from "../otlp_receiver.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { freePort } from "./nginx.ts";
import { openFiles, Process, until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import {
  command,
  environment,
  REPOSITORY,
  startTcpspan,
  type Tcpspan,
  tracingTo,
} from "./tcpspan.ts";
import { startTraffic } from "./traffic.ts";

/** Writes a new config and sends SIGHUP. @returns what the program answers */
async function reload(tool: Tcpspan, config: string): Promise<string> {
  await write(tool.config, config);
  return await hangUp(tool);
}

/** Writes a file in one step: nobody reads a part of it. */
async function write(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, text);
  await Deno.rename(`${path}.new`, path);
}

async function hangUp(tool: Tcpspan): Promise<string> {
  const isAnswer = (line: string) => /^tcpspan: reload(ed [^ ]*)?: /.test(line);
  const before = tool.stderr.lines.filter(({ text }) => isAnswer(text)).length;
  Deno.kill(tool.pid, "SIGHUP");
  const answers = await tool.stderr.waitForLines(before + 1, isAnswer);
  const last = tool.stderr.lines.indexOf(answers.at(-1) ?? assert.fail());
  const texts = tool.stderr.lines.slice(last).map(({ text }) => text);
  return texts.join("\n").replaceAll(tool.config, "FILE");
}

function selecting(port: number): string {
  return `capture: { remote_ports: [${port}] }\n`;
}

function otlp(port: number): string {
  return `{ endpoint: "http://127.0.0.1:${port}", protocol: http/json }`;
}

/** Where a receiver takes spans. */
function tracesAt(port: number): string {
  return `http://127.0.0.1:${port}/v1/traces`;
}

function spanIds(spans: readonly { readonly spanId: string }[]): string[] {
  return spans.map(({ spanId }) => spanId);
}

Deno.test("exporters that are added, removed and changed, under traffic: each session once", async () => {
  await using traffic = startTraffic();
  await using one = startReceiver(freePort());
  await using two = startReceiver(freePort());
  const base = selecting(traffic.port);
  await using tool = await startTcpspan([], {
    config: `${base}exporters: { otlp/x: ${otlp(one.port)} }`,
  });
  const answers: string[] = [];
  await traffic.during((async () => {
    for (let round = 0; round < 3; round++) {
      // moved to the other receiver, moved back, replaced by another id, and then back
      answers.push(
        await reload(tool, `${base}exporters: { otlp/x: ${otlp(two.port)} }`),
        await reload(tool, `${base}exporters: { otlp/x: ${otlp(one.port)} }`),
        await reload(tool, `${base}exporters: { otlp/y: ${otlp(two.port)} }`),
        await reload(tool, `${base}exporters: { otlp/x: ${otlp(one.port)} }`),
      );
    }
  })());
  assert.deepEqual(answers.slice(0, 4), [
    "tcpspan: reloaded FILE: otlp/x changed, capture unchanged",
    "tcpspan: reloaded FILE: otlp/x changed, capture unchanged",
    "tcpspan: reloaded FILE: otlp/y added, otlp/x removed, capture unchanged",
    "tcpspan: reloaded FILE: otlp/x added, otlp/y removed, capture unchanged",
  ]);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  const ids = [...spanIds(one.spans), ...spanIds(two.spans)];
  assert.ok(one.spans.length > 0 && two.spans.length > 0);
  assert.equal(new Set(ids).size, traffic.made);
  assert.equal(ids.length, traffic.made);
  const [, x, y] = /captured (?:\d+) sessions; delivered: otlp\/x (\d+), otlp\/y (\d+)$/m.exec(
    stderr,
  ) ?? assert.fail(stderr);
  assert.equal(Number(x) + Number(y), traffic.made, "also what removed exporters delivered");
});

Deno.test("an exporter that is not changed keeps its connection, whatever happens to others", async () => {
  await using traffic = startTraffic();
  const peers: number[] = [];
  await using receiver = startReceiver(freePort(), (peer) => peers.push(peer));
  await using folder = await makeTempFolder();
  const base = `${selecting(traffic.port)}exporters: { otlp: ${otlp(receiver.port)}`;
  await using tool = await startTcpspan([], { config: `${base} }` });
  await traffic.make(1);
  await until("the first session", () => receiver.spans.length === 1);
  const file = join(folder.path, "spans.jsonl");
  assert.equal(
    await reload(tool, `${base}, file: { path: "${file}" } }`),
    "tcpspan: reloaded FILE: file added, capture unchanged",
  );
  await traffic.make(1);
  await until("the second session", () => receiver.spans.length === 2);
  assert.equal(await hangUp(tool), "tcpspan: reloaded FILE: capture unchanged");
  await traffic.make(1);
  await until("the third session", () => receiver.spans.length === 3);
  assert.equal(new Set(peers).size, 1);
  assert.equal((await tool.stop("SIGTERM")).status, 0);
  assert.equal(parseOtlpJsonLines(await Deno.readTextFile(file)).length, 2);
});

Deno.test("what waits for a dead endpoint is delivered to the one that takes its place", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  const base = selecting(traffic.port);
  await using tool = await startTcpspan([], {
    config: `${base}exporters: { otlp: ${otlp(freePort())} }`,
  });
  await traffic.make(5);
  await tool.stderr.waitForLines(1, (line) => line.includes("connection refused"));
  const before = performance.now();
  await reload(tool, `${base}exporters: { otlp: ${otlp(receiver.port)} }`);
  await until("the delivery", () => receiver.spans.length === 5);
  assert.ok(performance.now() - before < 2000, "without the wait for the next try");
  const { stderr } = await tool.stop("SIGTERM");
  assert.match(stderr, /^tcpspan: captured 5 sessions; delivered: otlp 5$/m);
});

Deno.test("a removed exporter gets no new sessions, and has shutdown_timeout for the old ones", async () => {
  await using traffic = startTraffic();
  const gate = Promise.withResolvers<void>();
  await using slow = startReceiver(freePort(), () => gate.promise);
  await using receiver = startReceiver(freePort());
  const base = `${selecting(traffic.port)}shutdown_timeout: 1m\n`;
  await using tool = await startTcpspan([], {
    config: `${base}exporters: { otlp/old: ${otlp(slow.port)} }`,
  });
  await traffic.make(1);
  await until("a request", () => slow.requests === 1);
  await reload(tool, `${base}exporters: { otlp/new: ${otlp(receiver.port)} }`);
  await traffic.make(2);
  await until("the delivery to the new one", () => receiver.spans.length === 2);
  gate.resolve();
  await until("the delivery to the old one", () => slow.spans.length === 1);
  await traffic.make(1);
  await until("the next delivery", () => receiver.spans.length === 3);
  const { stderr } = await tool.stop("SIGTERM");
  assert.match(stderr, /^tcpspan: captured 4 sessions; delivered: otlp\/new 3, otlp\/old 1$/m);
  assert.equal(slow.requests, 1);
});

/** Wrong configs in the place of the one in force, and the messages. */
const WRONG: readonly [name: string, exporters: string, message: string][] = [
  [
    "an unknown key",
    "{ otlp: { endpont: x } }",
    "FILE:2:22: exporters.otlp.endpont: unknown key",
  ],
  ["YAML that is none", "{ otlp: [", "FILE:"],
  [
    "a file that cannot be written, after exporters that can be opened",
    '{ otlp/y: { endpoint: "http://127.0.0.1:9" }, file: { path: /nowhere/spans.jsonl } }',
    "exporters.file.path: cannot write /nowhere/spans.jsonl: there is no folder /nowhere",
  ],
  [
    "a module that is missing",
    "{ x: { module: ./missing.ts, export: X } }",
    "exporters.x.module: cannot load ./missing.ts",
  ],
  [
    "a certificate that is missing",
    "{ otlp: { endpoint: 'https://127.0.0.1:9', tls: { ca_file: /nowhere.pem } } }",
    "exporters.otlp",
  ],
];

Deno.test("a wrong config is reported, and the one in force stays", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  await using folder = await makeTempFolder();
  const base = selecting(traffic.port);
  const right = `${base}exporters: { otlp: ${otlp(receiver.port)} }`;
  await using tool = await startTcpspan([], { config: right });
  await traffic.make(1);
  for (const [name, exporters, message] of WRONG) {
    const answer = await reload(tool, `${base}exporters: ${exporters}`);
    assert.ok(answer.startsWith(`tcpspan: reload: kept the running config: ${message}`), answer);
    await traffic.make(1);
    await until(`the delivery after ${name}`, () => receiver.spans.length === traffic.made);
  }
  await Deno.remove(tool.config);
  assert.equal(
    await hangUp(tool),
    "tcpspan: reload: kept the running config: FILE: cannot read config: no such file",
  );
  const file = join(folder.path, "spans.jsonl");
  assert.equal(
    await reload(tool, `${base}exporters: { file: { path: "${file}" } }`),
    "tcpspan: reloaded FILE: file added, otlp removed, capture unchanged",
  );
  const { status } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
});

Deno.test("renewed certificates are used from the reload on, for spans and metrics; wrong ones are not", async () => {
  await using traffic = startTraffic();
  await using old = await makeAuthority();
  await using renewed = await makeAuthority();
  const port = freePort();
  const listen = (authority: Certificates) =>
    OtlpReceiver.start(accept, {
      cert: authority.read("server.crt"),
      key: authority.read("server.key"),
      ca: authority.read("ca.crt"),
    }, port);
  const tls = `{ ca_file: ${old.path("ca.crt")}, cert_file: ${old.path("client.crt")}, ` +
    `key_file: ${old.path("client.key")} }`;
  const config = `${selecting(traffic.port)}telemetry: { otlp: { interval: 1s } }\n` +
    `exporters: { otlp: { endpoint: "https://localhost:${port}", protocol: http/json, tls: ${tls},` +
    ` retry_on_failure: { initial_interval: 100ms, max_interval: 100ms } } }`;
  await using tool = await startTcpspan([], { config });
  const receives = async (receiver: OtlpReceiver) => {
    const before = receiver.requests.length;
    await traffic.make(1);
    for (const path of ["/v1/traces", "/v1/metrics"]) {
      await until(
        path,
        () => receiver.requests.slice(before).some((request) => request.path === path),
      );
    }
  };
  {
    await using receiver = await listen(old);
    await receives(receiver);
    assert.equal(await hangUp(tool), "tcpspan: reloaded FILE: capture unchanged");
    await Deno.writeTextFile(old.path("client.key"), renewed.read("client.key"));
    assert.equal(await hangUp(tool), "tcpspan: reloaded FILE: capture unchanged");
    const wrong = `cannot use tls.key_file: "${old.path("client.key")}" is not the key of ` +
      `"${old.path("client.crt")}"; the old ones stay in use`;
    for (const who of ["otlp", "telemetry.otlp"]) {
      await tool.stderr.waitForLines(1, (line) => line === `tcpspan: ${who}: ${wrong}`);
    }
    await receives(receiver);
  }
  for (const file of ["ca.crt", "client.crt"]) {
    await Deno.writeTextFile(old.path(file), renewed.read(file));
  }
  await using receiver = await listen(renewed);
  await traffic.make(1);
  await tool.stderr.waitForLines(1, (line) => /cannot send.*certificate/i.test(line));
  assert.equal(
    await hangUp(tool),
    "tcpspan: reloaded FILE: otlp reopened, telemetry reopened, capture unchanged",
  );
  await receives(receiver);
  const { stderr } = await tool.stop("SIGTERM");
  assert.match(stderr, new RegExp(`delivered: otlp ${traffic.made}\n`));
});

/** An authority, and certificates from it for a server on localhost and for a client. */
async function makeAuthority(): Promise<Certificates> {
  const authority = await Certificates.make();
  await authority.sign("server", "DNS:localhost");
  await authority.sign("client", "DNS:client.example");
  return authority;
}

Deno.test("a queue's folder on disk can't change while it is in use; it goes and comes with its exporter", async () => {
  await using traffic = startTraffic();
  const gate = Promise.withResolvers<void>();
  await using receiver = startReceiver(freePort(), () => gate.promise);
  await using folder = await makeTempFolder();
  const base = `${selecting(traffic.port)}shutdown_timeout: 1s\n`;
  const config = (queue: string) =>
    `${base}exporters: { otlp: { endpoint: "http://127.0.0.1:${receiver.port}", ` +
    `protocol: http/json, sending_queue: { ${queue} } } }`;
  const storage = `storage: "${folder.path}/a"`;
  await using tool = await startTcpspan([], { config: config(storage) });
  await traffic.make(10);
  for (const other of [`${storage}, persistent: true`, `storage: "${folder.path}/b"`, ""]) {
    assert.equal(
      await reload(tool, config(other)),
      "tcpspan: reload: kept the running config: exporters.otlp.sending_queue: its place on disk " +
        "cannot change while the exporter runs: start tcpspan again, or give the exporter another name",
    );
  }
  assert.equal(
    await reload(tool, config(`${storage}, queue_size: 1000`)),
    "tcpspan: reloaded FILE: otlp changed, capture unchanged",
  );
  await until("a request", () => receiver.requests > 0);
  await reload(tool, `${base}exporters: { stdout: }`); // leaves on disk what was not answered
  await reload(tool, config(storage));
  gate.resolve();
  await traffic.make(10);
  await until("the delivery", () => receiver.spans.length >= traffic.made);
  const { stderr } = await tool.stop("SIGTERM");
  assert.doesNotMatch(stderr, /lost|keeps/);
  assert.equal(new Set(spanIds(receiver.spans)).size, traffic.made);
});

Deno.test("each problem of a wrong config is a line", async () => {
  await using tool = await startTcpspan([], { config: "exporters: { stdout: }" });
  await write(tool.config, "exporters: { stdout: }\ncolour: red\nshape: round\n");
  Deno.kill(tool.pid, "SIGHUP");
  await tool.stderr.waitForLines(3, () => true);
  const { stderr } = await tool.stop("SIGTERM");
  const place = `${tool.config}:`;
  assert.ok(stderr.includes(`\ntcpspan: reload: kept the running config: ${place}2:1: colour: `));
  assert.ok(stderr.includes(`\n${place}3:1: shape: `), stderr);
});

Deno.test("what a wrong config has already opened is closed again", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  await using tool = await startTcpspan([], { config: "exporters: { stdout: }" });
  await reload(tool, `exporters: { file/a: { path: "${path}" }, file/b: { path: /nowhere/x } }`);
  assert.equal((await Deno.stat(path)).size, 0, "it was opened");
  assert.ok(!openFiles(tool.pid).includes(path));
  await tool.stop("SIGTERM");
});

Deno.test("a stop does not wait for a reload that hangs in a module", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  await using folder = await makeTempFolder();
  const module = join(folder.path, "hangs.ts");
  await Deno.writeTextFile(
    module,
    'console.error("loading"); setInterval(() => {}, 1000); await new Promise(() => {});',
  );
  const base = selecting(traffic.port);
  await using tool = await startTcpspan([], {
    config: `${base}exporters: { otlp: ${otlp(receiver.port)} }`,
  });
  await Deno.writeTextFile(
    tool.config,
    `${base}exporters: { x: { module: "${module}", export: X } }`,
  );
  Deno.kill(tool.pid, "SIGHUP");
  await tool.stderr.waitForLines(1, (line) => line === "loading");
  await traffic.make(1);
  const before = performance.now();
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.ok(performance.now() - before < 2000);
  assert.deepEqual([status, stderr], [
    0,
    `${tracingTo(`otlp ${tracesAt(receiver.port)}`)}\nloading\n` +
    `tcpspan: otlp: delivering to ${tracesAt(receiver.port)}\n` +
    "tcpspan: captured 1 session; delivered: otlp 1\n",
  ]);
});

Deno.test("a SIGHUP that comes before capture is live reloads as soon as it is", async () => {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(
    join(folder.path, "slow.ts"),
    'console.error("loading"); await new Promise((resolve) => setTimeout(resolve, 500));' +
      "export class X { export() {} async shutdown() {} }",
  );
  const file = join(folder.path, "tcpspan.yaml");
  await Deno.writeTextFile(file, "exporters: { x: { module: ./slow.ts, export: X } }");
  await using process = new Process(command("-D", "1", "--config", file), {
    env: environment(),
    cwd: REPOSITORY,
  });
  await process.stderr.waitForLines(1, (line) => line === "loading");
  await Deno.writeTextFile(file, "exporters: { stdout: { format: csv } }");
  Deno.kill(process.pid, "SIGHUP");
  const [, tracing, reloaded] = await process.stderr.waitForLines(3, () => true);
  assert.deepEqual([tracing?.text, reloaded?.text], [
    tracingTo("x ./slow.ts"),
    `tcpspan: reloaded ${file}: stdout added, x removed, capture unchanged`,
  ]);
  assert.equal((await process.stop("SIGTERM")).status, 0);
});

Deno.test("new settings of resource and trace apply to the spans made from then on", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  const rest = `${selecting(traffic.port)}exporters: { otlp: ${otlp(receiver.port)} }\n`;
  await using tool = await startTcpspan([], { config: rest });
  await traffic.make(1);
  await until("the first session", () => receiver.spans.length === 1);
  assert.equal(
    await reload(tool, `${rest}resource: { attributes: { deployment.environment.name: prod } }\n`),
    "tcpspan: reloaded FILE: otlp reopened, resource changed, capture unchanged",
  );
  await traffic.make(1);
  await until("the second session", () => receiver.spans.length === 2);
  const environments = receiver.spans.map(({ resource }) =>
    resource["deployment.environment.name"]
  );
  assert.deepEqual(environments, [undefined, "prod"]);
  await tool.stop("SIGTERM");
});

Deno.test("new filters apply from the reload on, and open sessions keep their start", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  const exporters = `exporters: { otlp: ${otlp(receiver.port)} }`;
  await using tool = await startTcpspan([], { config: `${selecting(1)}${exporters}` });
  await traffic.make(1);
  const open = await traffic.open();
  assert.match(
    await reload(tool, `${selecting(traffic.port)}${exporters}`),
    /: capture changed$/,
  );
  await open.close();
  await traffic.make(1);
  await until("the delivery", () => receiver.spans.length === 2);
  await tool.stop("SIGTERM");
  assert.deepEqual(
    receiver.spans.map(({ attributes }) => attributes["tcpspan.start.observed"]),
    [true, true],
  );
});

Deno.test("a file is continued when its exporter is reopened, also with append: false", async () => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const base = selecting(traffic.port);
  const file = (rest: string) =>
    `${base}exporters: { file: { path: "${path}", append: false${rest} } }`;
  await using tool = await startTcpspan([], { config: file("") });
  await traffic.make(2);
  await until("the first sessions", () => spansIn(path) === 2);
  await reload(tool, file(", rotation: { max_backups: 7 }"));
  await traffic.make(1);
  await until("all sessions", () => spansIn(path) === 3);
  await tool.stop("SIGTERM");
});

Deno.test("a run ends when the reader of stdout goes, while an exporter writes there, also on an idle host", async () => {
  await using folder = await makeTempFolder();
  const base = selecting(freePort());
  const file = `file: { path: "${join(folder.path, "spans.jsonl")}" }`;
  await using added = await startTcpspan([], { config: `${base}exporters: { ${file} }` });
  await reload(added, `${base}exporters: { ${file}, stdout: }`);
  await added.stdout.close();
  assert.equal((await added.end()).status, 0);

  await using removed = await startTcpspan([], {
    config: `${base}exporters: { ${file}, stdout: }`,
  });
  await reload(removed, `${base}exporters: { ${file} }`);
  await removed.stdout.close();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(await hangUp(removed), "tcpspan: reloaded FILE: capture unchanged");
  assert.equal((await removed.stop("SIGTERM")).status, 0);
});

Deno.test("the format of stdout changes between rows, with a new header", async () => {
  await using traffic = startTraffic();
  const base = selecting(traffic.port);
  await using tool = await startTcpspan([], { config: `${base}exporters: { stdout: }` });
  await traffic.make(1);
  await tool.stdout.waitForLines(2, () => true);
  assert.equal(
    await reload(tool, `${base}exporters: { stdout: { format: csv } }`),
    "tcpspan: reloaded FILE: stdout changed, capture unchanged",
  );
  await traffic.make(1);
  const lines = await tool.stdout.waitForLines(4, () => true);
  assert.match(lines.map(({ text }) => text).join("\n"), /^PID .*\n\d.*\nPID,.*\n\d+,[^\n]*$/);
  await tool.stop("SIGTERM");
});

Deno.test("the flags of the command line win over the new config, too", async () => {
  await using traffic = startTraffic();
  await using tool = await startTcpspan(["-s", "-D", `${traffic.port}`], {
    config: "exporters: { stdout: }",
  });
  assert.equal(
    await reload(tool, "capture: { remote_ports: [1] }\nexporters: { stdout: { time: true } }"),
    "tcpspan: reloaded FILE: stdout changed, capture unchanged",
  );
  await traffic.make(1);
  const lines = await tool.stdout.waitForLines(3, () => true);
  assert.match(lines[1]?.text ?? "", /^TIME,PID,/);
  assert.equal(
    await reload(tool, "exporters: { file: { path: x } }"),
    "tcpspan: reload: kept the running config: cannot use -s: found no stdout exporter: " +
      "expected one, whose format these flags set",
  );
  await tool.stop("SIGTERM");
});

Deno.test("many SIGHUPs at once are handled one after the other; the last config is in force", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  const base = selecting(traffic.port);
  await using tool = await startTcpspan([], { config: `${base}exporters: { otlp/0: }` });
  const LAST = 10;
  for (let i = 1; i <= LAST; i++) {
    await write(tool.config, `${base}exporters: { otlp/${i}: ${otlp(receiver.port)} }`);
    Deno.kill(tool.pid, "SIGHUP");
    if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await tool.stderr.waitForLines(1, (line) => line.includes(`otlp/${LAST} added`));
  await traffic.make(1);
  await until("the delivery", () => receiver.spans.length === 1);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  assert.doesNotMatch(stderr, /kept the running config/);
  assert.match(stderr, new RegExp(`delivered: otlp/${LAST} 1,`, "m"));
});

Deno.test("reloads leave no descriptors behind", async () => {
  await using traffic = startTraffic();
  await using receiver = startReceiver(freePort());
  await using folder = await makeTempFolder();
  const base = selecting(traffic.port);
  const file = `file: { path: "${folder.path}/spans.jsonl" }`;
  const configs = [
    `${base}exporters: { otlp: ${otlp(receiver.port)}, ${file} }`,
    `${base}exporters: { otlp: ${otlp(receiver.port)} }\nresource: { attributes: { a: 1 } }`,
    `${selecting(1)}exporters: { ${file}, stdout: }`,
    `${base}exporters: { ${file}, file/x: { path: /nowhere/x } }`, // wrong
  ];
  await using tool = await startTcpspan([], { config: configs[0] ?? "" });
  const counts: number[] = [];
  for (let round = 0; round < 4; round++) {
    for (const config of configs) {
      await traffic.make(1);
      await reload(tool, config);
    }
    await reload(tool, configs[0] ?? "");
    const delivered = receiver.spans.length + 1;
    await traffic.make(1);
    await until("a delivery", () => receiver.spans.length >= delivered);
    counts.push(openFiles(tool.pid).length);
  }
  const [, second = 0] = counts; // the first reload loads what stays
  const last = counts.at(-1) ?? Infinity;
  assert.ok(last <= second + 1, `descriptors: ${counts}`); // a connection that is being replaced
  assert.equal((await tool.stop("SIGTERM")).status, 0);
});

Deno.test("a SIGHUP while the run ends is ignored", async () => {
  await using traffic = startTraffic();
  const gate = Promise.withResolvers<void>();
  await using slow = startReceiver(freePort(), () => gate.promise);
  const config = `${selecting(traffic.port)}exporters: { otlp: ${otlp(slow.port)} }`;
  await using tool = await startTcpspan([], { config });
  await traffic.make(1);
  await until("a request", () => slow.requests === 1);
  const ended = tool.stop("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 500)); // signals may arrive out of order
  Deno.kill(tool.pid, "SIGHUP");
  setTimeout(gate.resolve, 500);
  const { status, stderr } = await ended;
  assert.deepEqual([status, stderr], [
    0,
    `${tracingTo(`otlp ${tracesAt(slow.port)}`)}\n` +
    `tcpspan: otlp: delivering to ${tracesAt(slow.port)}\n` +
    "tcpspan: captured 1 session; delivered: otlp 1\n",
  ]);
});

Deno.test("without a config there is nothing to reload, and the run continues", async () => {
  await using traffic = startTraffic();
  await using tool = await startTcpspan(["-D", `${traffic.port}`]);
  assert.equal(
    await hangUp(tool),
    "tcpspan: reload: nothing to reload: the run has no config file",
  );
  await traffic.make(1);
  await tool.stdout.waitForLines(2, () => true);
  assert.equal((await tool.stop("SIGINT")).status, 0);
});

function spansIn(path: string): number {
  return parseOtlpJsonLines(Deno.readTextFileSync(path)).length;
}

/** Signals that end a run: the first drains, the second leaves at once; both with status 0. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeTempFolder } from "../temp_folder.ts";
import { curl, freePort, type Nginx, startNginx } from "./nginx.ts";
import { Process, until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { startTraffic } from "./traffic.ts";
import { command, environment, REPOSITORY, startTcpspan, TRACING, tracingTo } from "./tcpspan.ts";

/** An OTLP receiver that takes requests, and answers when the test wants. */
function startSlowReceiver() {
  const answers = Promise.withResolvers<void>();
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async () => {
    requests++;
    await answers.promise;
    return new Response(null, { headers: { "content-type": "application/x-protobuf" } });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    get requests() {
      return requests;
    },
    answer: () => answers.resolve(),
    [Symbol.asyncDispose]: async () => {
      answers.resolve();
      await server.shutdown();
    },
  };
}

/** Whether a line says where sessions go. */
function isStart(line: string): boolean {
  return line.startsWith(TRACING) || line.includes(": delivering to ");
}

function config(nginx: Nginx, exporter: string, rest = ""): string {
  return `capture: { remote_ports: [${nginx.port}] }\nexporters: { ${exporter} }\n${rest}`;
}

Deno.test("a first signal waits for an answer that comes within shutdown_timeout", async () => {
  await using nginx = await startNginx();
  await using receiver = startSlowReceiver();
  await using tool = await startTcpspan([], {
    config: config(nginx, `otlp: { endpoint: "${receiver.url}" }`, "shutdown_timeout: 1m\n"),
  });
  await curl([nginx.url("/")]);
  await until("a request", () => receiver.requests === 1);
  const ended = tool.stop("SIGTERM");
  setTimeout(receiver.answer, 500);
  const { status, stderr } = await ended;
  assert.deepEqual([status, stderr], [
    0,
    `${tracingTo(`otlp ${receiver.url}/v1/traces`)}\n` +
    `tcpspan: otlp: delivering to ${receiver.url}/v1/traces\n` +
    "tcpspan: captured 1 session; delivered: otlp 1\n",
  ]);
});

Deno.test("a first signal waits no longer than shutdown_timeout, and reports what was lost", async () => {
  await using nginx = await startNginx();
  await using receiver = startSlowReceiver();
  await using tool = await startTcpspan([], {
    config: config(nginx, `otlp: { endpoint: "${receiver.url}" }`, "shutdown_timeout: 700ms\n"),
  });
  await curl([nginx.url("/")]);
  await until("a request", () => receiver.requests === 1);
  const before = performance.now();
  const { status, stderr } = await tool.stop("SIGTERM");
  const took = performance.now() - before;
  assert.ok(took >= 700 && took < 2000, `${took} ms`);
  assert.equal(status, 0);
  assert.match(stderr, /^tcpspan: captured 1 session; delivered: otlp 0$/m);
  assert.match(stderr, /^tcpspan: lost 1 session: otlp: not delivered$/m);
});

Deno.test("a module that flushes at its end has shutdown_timeout for it", async () => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(join(folder.path, "slow.ts"), SLOW_MODULE);
  const endWithin = async (timeout: string, flushed: boolean) => {
    const file = join(folder.path, `${timeout}.yaml`);
    await Deno.writeTextFile(
      file,
      `exporters: { x: { module: ./slow.ts, export: Slow } }\nshutdown_timeout: ${timeout}\n`,
    );
    await using tool = await startTcpspan(["--config", file, "-D", `${traffic.port}`]);
    await traffic.make(1);
    const { status, stderr } = await tool.stop("SIGTERM");
    assert.equal(status, 0);
    assert.equal(stderr.includes("flushed"), flushed);
    assert.equal(stderr.includes("x: cannot shut down: no time was left"), !flushed);
  };
  await Promise.all([endWithin("1m", true), endWithin("1s", false)]);
});

const SLOW_MODULE = `
export class Slow {
  export(_spans, done) { done({ code: 0 }); }
  forceFlush() { return new Promise((resolve) => setTimeout(resolve, 4000)); }
  async shutdown() { console.error("flushed"); }
}
`;

Deno.test("a second signal leaves on disk what was not delivered, for the next run", async () => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // never answers
  const config = (port: number) => `
capture: { remote_ports: [${traffic.port}] }
shutdown_timeout: 1m
exporters:
  otlp:
    endpoint: http://127.0.0.1:${port}
    protocol: http/json
    timeout: 1m
    sending_queue: { storage: "${folder.path}/spool", num_consumers: 1 }
`;
  const SESSIONS = 300;
  {
    await using tool = await startTcpspan([], { config: config(silent.addr.port) });
    await traffic.make(SESSIONS);
    await new Promise((resolve) => setTimeout(resolve, 500));
    Deno.kill(tool.pid, "SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const before = performance.now();
    const { status, stderr } = await tool.stop("SIGTERM");
    assert.ok(performance.now() - before < 500);
    assert.equal(status, 0);
    assert.match(stderr, new RegExp(`^tcpspan: otlp keeps ${SESSIONS} sessions on disk$`, "m"));
    assert.doesNotMatch(stderr, /lost/);
  }
  await using receiver = startReceiver(freePort());
  await using _tool = await startTcpspan([], { config: config(receiver.port) });
  await until("the delivery", () => receiver.spans.length >= SESSIONS);
  assert.equal(new Set(receiver.spans.map(({ spanId }) => spanId)).size, SESSIONS);
});

Deno.test("a second signal does not wait for the last metrics", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // never answers
  const url = `http://127.0.0.1:${silent.addr.port}`;
  await using tool = await startTcpspan(["-L", `${freePort()}`], {
    config: `exporters: { otlp: { endpoint: "${url}", timeout: 1m } }\ntelemetry: { otlp: }\n`,
  });
  Deno.kill(tool.pid, "SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.ok(!tool.stderr.text.includes("captured"), "it still waits");
  const before = performance.now();
  const { status, stderr } = await tool.stop("SIGTERM");
  const took = performance.now() - before;
  assert.ok(took < 400, `${took} ms`);
  assert.equal(status, 0);
  assert.match(stderr, /^tcpspan: captured 0 sessions; delivered: otlp 0$/m);
});

/** Exporters that would delay the end for a minute, as the config's `exporters`. */
const STUBBORN: readonly [name: string, exporter: (url: string) => string][] = [
  ["an OTLP server never answers", (url) => `otlp: { endpoint: "${url}", timeout: 1m }`],
  [
    "a gRPC server never answers",
    (url) => `otlp: { endpoint: "${url}", protocol: grpc, timeout: 1m }`,
  ],
  ["a module's export never ends", () => "x: { module: ./stubborn.ts, export: NeverExports }"],
  ["a module's shutdown never ends", () => "x: { module: ./stubborn.ts, export: NeverEnds }"],
];

const STUBBORN_MODULE = `
class Exporter {
  export(_spans, done) { done({ code: 0 }); }
  shutdown() { return Promise.resolve(); }
}
export class NeverExports extends Exporter {
  export() { setInterval(() => {}, 1000); }
}
export class NeverEnds extends Exporter {
  shutdown() {
    setInterval(() => {}, 1000);
    return new Promise(() => {});
  }
}
`;

for (const [name, exporter] of STUBBORN) {
  Deno.test(`a second signal leaves at once if ${name}`, async () => {
    await using nginx = await startNginx();
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // never answers
    await using folder = await makeTempFolder();
    await Deno.writeTextFile(join(folder.path, "stubborn.ts"), STUBBORN_MODULE);
    const file = join(folder.path, "tcpspan.yaml");
    await Deno.writeTextFile(
      file,
      config(
        nginx,
        `file: { path: spans.jsonl }, ${exporter(`http://127.0.0.1:${silent.addr.port}`)}`,
        "shutdown_timeout: 1m\n",
      ),
    );
    await using tool = await startTcpspan(["--config", file]);
    await curl([nginx.url("/")]);
    await until("a session in the file", () => sizeOf(join(folder.path, "spans.jsonl")) > 0);
    Deno.kill(tool.pid, "SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 500));
    const said = tool.stderr.lines.map(({ text }) => text).filter((line) => !isStart(line));
    assert.deepEqual(said, [], "it still drains");
    const before = performance.now();
    const { status, stderr } = await tool.stop("SIGTERM");
    assert.ok(performance.now() - before < 500, `${performance.now() - before} ms`);
    assert.equal(status, 0);
    assert.match(stderr, /^tcpspan: captured 1 session; delivered: file 1, \w+ [01]$/m);
  });
}

Deno.test("signals that come together, to the process and to its group, are one request", async () => {
  await using nginx = await startNginx();
  await using receiver = startSlowReceiver();
  await using tool = await startTcpspan([], {
    config: config(nginx, `otlp: { endpoint: "${receiver.url}" }`, "shutdown_timeout: 1m\n"),
  });
  await curl([nginx.url("/")]);
  await until("a request", () => receiver.requests === 1);
  Deno.kill(tool.pid, "SIGINT");
  const ended = tool.stop("SIGTERM");
  setTimeout(receiver.answer, 500);
  const { status, stderr } = await ended;
  assert.equal(status, 0);
  assert.match(stderr, /^tcpspan: captured 1 session; delivered: otlp 1$/m);
});

Deno.test("a first signal ends a start that hangs in a module, before anything is attached", async () => {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(
    join(folder.path, "hangs.ts"),
    'console.error("loading"); setInterval(() => {}, 1000); await new Promise(() => {});',
  );
  const file = join(folder.path, "tcpspan.yaml");
  await Deno.writeTextFile(file, "exporters: { x: { module: ./hangs.ts, export: X } }\n");
  await using process = new Process(command("-L", `${freePort()}`, "--config", file), {
    env: environment(),
    cwd: REPOSITORY,
  });
  await process.stderr.waitForLines(1, (line) => line === "loading");
  const before = performance.now();
  const { status, stderr } = await process.stop("SIGTERM");
  assert.ok(performance.now() - before < 1000);
  assert.deepEqual([status, stderr], [0, "loading\n"]);
});

function sizeOf(path: string): number {
  return Deno.statSync(path).size;
}

/** How a run ends: always with status 0, and nothing is lost. */
import assert from "node:assert/strict";
import { curl, freePort, type Nginx, startNginx } from "./nginx.ts";
import { type Ended, Process } from "./process.ts";
import {
  command,
  environment,
  REPOSITORY,
  runTcpspan,
  startTcpspan,
  TRACING,
  tracingTo,
} from "./tcpspan.ts";

const HEADER = "PID   COMM       LADDR           LPORT RADDR           RPORT TX_KB RX_KB MS";

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal}: a clean stop, and the session that has just ended is still printed`, async () => {
    await using nginx = await startNginx();
    await using tool = await startTcpspan(["-D", `${nginx.port}`]);
    const { localPort } = await curl([nginx.url("/")]);
    const { status, stdout, stderr } = await tool.stop(signal);
    assert.deepEqual([status, stderr], [0, `${TRACING}\n`]);
    assert.match(stdout, new RegExp(` ${localPort} +127\\.0\\.0\\.1 +${nginx.port} `));
  });
}

Deno.test("--duration: a clean stop after that time", async () => {
  const before = performance.now();
  await using tool = await startTcpspan(["--duration", "0.5", "-L", `${freePort()}`]);
  const tracing = performance.now();
  const ended = await tool.end();
  assert.ok(performance.now() - before >= 500);
  assert.ok(performance.now() - tracing < 1500);
  assert.deepEqual(ended, { status: 0, stdout: `${HEADER}\n`, stderr: `${TRACING}\n` });
});

Deno.test("| head -1 on an idle host: status 0 within a second or two, no error", async () => {
  await using pipe = pipeTo("head -n 1", "-L", `${freePort()}`);
  const [line] = await pipe.stderr.waitForLines(1, (line) => line === TRACING);
  const ended = await pipe.end();
  assert.ok(Date.now() - (line?.at ?? 0) < 2000);
  assert.deepEqual(ended, { status: 0, stdout: `${HEADER}\n`, stderr: `${TRACING}\n` });
});

Deno.test("| head -2 under traffic: status 0, no error", async () => {
  await using nginx = await startNginx();
  await using pipe = pipeTo("head -n 2", "-L", `${nginx.port}`);
  await pipe.stderr.waitForLines(1, (line) => line === TRACING);
  const traffic = new AbortController();
  const curls = keepGoing(nginx, traffic.signal);
  const { status, stdout, stderr } = await pipe.end();
  traffic.abort();
  await curls;
  assert.deepEqual([status, stderr], [0, `${TRACING}\n`]);
  assert.match(stdout, /^PID .*\n\d+ +nginx .*\n$/);
});

Deno.test("a reader of stdout that goes away later, on an idle host: status 0, no error", async () => {
  await using tool = await startTcpspan(["-L", `${freePort()}`]);
  await tool.stdout.waitForLines(1, (line) => line === HEADER);
  const before = performance.now();
  await tool.stdout.close();
  const { status, stderr } = await tool.end();
  assert.ok(performance.now() - before < 2000);
  assert.deepEqual([status, stderr], [0, `${TRACING}\n`]);
});

Deno.test("| head -1 of the other commands: status 0, no error", async () => {
  for (const args of [["--help"], ["config", "schema"], ["config", "example"], ["doctor"]]) {
    await using pipe = pipeTo("head -c 1", ...args);
    const { status, stderr } = await pipe.end();
    assert.deepEqual([status, stderr], [0, ""], args.join(" "));
  }
});

Deno.test("stdout that cannot be written is reported before anything is attached, status 2", async () => {
  await using process = new Process(
    ["sh", "-c", 'exec "$@" >/dev/full', "sh", ...command("-L", `${freePort()}`)],
    { cwd: REPOSITORY, env: environment() },
  );
  const { status, stderr } = await process.end();
  assert.match(stderr, /^tcpspan: cannot write to stdout: No space left on device.*\n$/);
  assert.equal(status, 2);
});

Deno.test("two copies at once: both print the session, with the same ids", async () => {
  await using nginx = await startNginx();
  const config = "exporters: { stdout: { format: json } }";
  await using one = await startTcpspan([], { config });
  await using other = await startTcpspan([], { config });
  await curl([nginx.url("/")]);
  const told = await Promise.all([one, other].map(async ({ stdout }) => {
    const lines = await stdout.waitForLines(
      2,
      (line) => line.includes(`"server.port":${nginx.port},`),
    );
    return lines.map(({ text }): string => JSON.parse(text)["span_id"]).sort();
  }));
  assert.deepEqual(told[0], told[1]);
  assert.equal((await one.stop("SIGINT")).status, 0);
  await curl([nginx.url("/")]); // the other one keeps running
  await other.stdout.waitForLines(4, (line) => line.includes(`"server.port":${nginx.port},`));
  assert.equal((await other.stop("SIGINT")).status, 0);
});

Deno.test("at the end tcpspan reports how many sessions each span exporter delivered", async () => {
  const endpoint = `http://127.0.0.1:${freePort()}`;
  const { status, stdout, stderr } = await runTcpspan(
    ["--duration", "0.2", "-L", `${freePort()}`],
    { config: `exporters: { otlp: { endpoint: "${endpoint}" } }` },
  );
  assert.deepEqual([status, stdout], [0, ""]);
  assert.equal(
    stderr,
    `${tracingTo(`otlp ${endpoint}/v1/traces`)}\n` +
      "tcpspan: captured 0 sessions; delivered: otlp 0\n",
  );
});

/** The program with its stdout in a pipe; the status is the program's, not the reader's. */
function pipeTo(reader: string, ...args: readonly string[]): Pipe {
  const script = `timeout --signal=KILL 10 "$@" | ${reader}; exit "\${PIPESTATUS[0]}"`;
  return new Process(["bash", "-c", script, "bash", ...command(...args)], {
    cwd: REPOSITORY,
    env: environment(),
  });
}

interface Pipe extends Pick<Process, "stderr">, AsyncDisposable {
  end(): Promise<Ended>;
}

async function keepGoing(nginx: Nginx, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await curl([nginx.url("/")]);
}

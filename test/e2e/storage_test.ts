/** A queue on disk: sessions outlive a dead endpoint, the end of tcpspan, and SIGKILL. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeTempFolder } from "../temp_folder.ts";
import { together } from "../together.ts";
import { curl, freePort, type Nginx, startNginx } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { runTcpspan, startTcpspan, type Tcpspan } from "./tcpspan.ts";

const SESSIONS = 10;

/** Only sessions of curl to nginx, to an endpoint and a folder that two runs share. */
function config(nginx: Nginx, port: number, queue: string): string {
  return `
capture: { remote_ports: [${nginx.port}] }
exporters:
  stdout: { format: json }
  otlp/late:
    endpoint: http://127.0.0.1:${port}
    sending_queue: ${queue}
`;
}

/** Makes sessions under a new tcpspan. @returns their span ids from stdout */
async function make(nginx: Nginx, tool: Tcpspan, count: number): Promise<string[]> {
  for (let i = 0; i < count; i++) await curl([nginx.url("/")]);
  const isOurs = (line: string) => JSON.parse(line)["name"] === spanName(nginx);
  const lines = await tool.stdout.waitForLines(count, isOurs);
  return lines.map(({ text }): string => JSON.parse(text)["span_id"]);
}

/** Other clients of the host may have nginx's port number: their spans have another name. */
function spanName(nginx: Nginx): string {
  return `tcp ${nginx.port}`;
}

const ENDS: readonly (readonly [end: string, signal: Deno.Signal, queue: string])[] = [
  ["SIGKILL", "SIGKILL", "{ persistent: true, storage: SPOOL }"],
  ["its end", "SIGTERM", "{ persistent: true, storage: SPOOL }"],
  ["its end, with a queue in memory until then", "SIGTERM", "{ storage: SPOOL }"],
];

const outlive = together(ENDS, async ([, signal, queue]) => {
  await using folder = await makeTempFolder();
  await using nginx = await startNginx();
  const port = freePort();
  const text = config(nginx, port, queue.replace("SPOOL", folder.path));
  const ids: string[] = [];
  const runs = 2;
  for (let i = 1; i <= runs; i++) {
    await using tool = await startTcpspan([], { config: text });
    ids.push(...await make(nginx, tool, SESSIONS));
    const began = performance.now();
    if (signal === "SIGKILL") {
      Deno.kill(tool.pid, signal);
      await tool.end();
      continue;
    }
    const { status, stderr } = await tool.stop(signal);
    assert.ok(performance.now() - began < 4000, "a dead endpoint does not hold up the end");
    assert.equal(status, 0);
    const [, kept] = /^tcpspan: otlp\/late keeps (\d+) sessions on disk$/m.exec(stderr) ?? [];
    assert.ok(Number(kept) >= i * SESSIONS, stderr);
    assert.doesNotMatch(stderr, /lost/);
  }
  await using receiver = startReceiver(port);
  await using tool = await startTcpspan([], { config: text });
  const [message] = await tool.stderr.waitForLines(1, (line) => line.includes("earlier run"));
  const [, found, place] =
    /^tcpspan: otlp\/late: (\d+) sessions of an earlier run are in (.*)$/.exec(
      message?.text ?? "",
    ) ?? [];
  assert.equal(place, join(folder.path, "otlp%2Flate"));
  assert.ok(Number(found) >= runs * SESSIONS, `${found} sessions`);
  ids.push(...await make(nginx, tool, 1));
  const ours = () => receiver.spans.filter(({ name }) => name === spanName(nginx));
  await until("the delivery", () => ours().length >= ids.length);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  assert.doesNotMatch(stderr, /keeps|lost|damaged/);
  const delivered = ours().map(({ spanId }) => spanId);
  assert.deepEqual(delivered.toSorted(), ids.toSorted());
  const left = [...Deno.readDirSync(join(folder.path, "otlp%2Flate"))].map(({ name }) => name);
  assert.deepEqual(left.toSorted(), ["delivered", "lock"]);
});

for (const one of ENDS) {
  const [end] = one;
  Deno.test(`what a dead endpoint has not taken is delivered after ${end}, each session by id`, () =>
    outlive(one));
}

Deno.test("what is removed from disk while tcpspan runs is reported as lost, the rest as kept", async () => {
  await using folder = await makeTempFolder();
  await using nginx = await startNginx();
  const text = config(nginx, freePort(), `{ persistent: true, storage: ${folder.path} }`);
  await using tool = await startTcpspan([], { config: text });
  await make(nginx, tool, SESSIONS);
  Deno.removeSync(join(folder.path, "otlp%2Flate"), { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, 1100)); // it looks for its file once a second
  await make(nginx, tool, SESSIONS);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  const [, captured] = /captured (\d+) sessions/.exec(stderr) ?? [];
  const [, kept] = /^tcpspan: otlp\/late keeps (\d+) sessions on disk$/m.exec(stderr) ?? [];
  const [, lost] =
    /^tcpspan: lost (\d+) sessions: otlp\/late: not readable on disk$/m.exec(stderr) ?? [];
  assert.ok(Number(lost) >= SESSIONS, stderr);
  assert.equal(Number(kept) + Number(lost), Number(captured), stderr);
  assert.match(stderr, /cannot read \S+\.seg: it was removed/);
  await using again = await startTcpspan([], { config: text });
  const [found] = await again.stderr.waitForLines(1, (line) => line.includes("earlier run"));
  assert.ok(found?.text.startsWith(`tcpspan: otlp/late: ${kept} sessions of an earlier run`));
  await again.stop("SIGTERM");
});

Deno.test("a storage is relative to the config file, and two runs cannot share it", async () => {
  const text = `
exporters:
  file:
    path: spans.jsonl
    sending_queue: { storage: spool, persistent: true }
`;
  await using tool = await startTcpspan([], { config: text });
  const folder = join(tool.config, "..", "spool", "file");
  assert.ok(Deno.statSync(folder).isDirectory);
  const other = text.replace("spool,", `${join(folder, "..")},`);
  const { status, stderr } = await runTcpspan([], { config: other });
  assert.equal(status, 2);
  assert.equal(
    stderr,
    `tcpspan: exporters.file.sending_queue.storage: cannot use ${folder}: another tcpspan uses it: ` +
      "stop it, or name another folder\n",
  );
  await tool.stop("SIGTERM");
});

Deno.test("a storage that can't be made is reported before anything is attached", async () => {
  const { status, stderr } = await runTcpspan([], {
    config: "exporters:\n  otlp: { sending_queue: { storage: /nowhere/at/all } }\n",
  });
  assert.equal(status, 2);
  assert.equal(
    stderr,
    "tcpspan: exporters.otlp.sending_queue.storage: cannot use /nowhere/at/all/otlp: there is no " +
      "folder /nowhere/at: create it, or name another\n",
  );
});

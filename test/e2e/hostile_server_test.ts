/** Collectors that misbehave without end: reported once, and they delay no other exporter. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { RawServer } from "../raw_server.ts";
import { curl, freePort, startNginx } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { startTcpspan } from "./tcpspan.ts";

const SESSIONS = 20;
const MOST_MEMORY = 400 * 2 ** 20; // bytes

/** Writes without end, about 13 MB a second, to leave the test's own process time. */
function flood(text: string): (socket: Socket) => void {
  const many = text.repeat(Math.ceil(65536 / text.length));
  return (socket) => {
    const more = () => {
      if (socket.destroyed) return;
      if (socket.write(many)) setTimeout(more, 5);
      else socket.once("drain", () => setTimeout(more, 5));
    };
    more();
  };
}

const SERVERS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ["says nothing", () => {}],
  ["hangs up", (socket) => void socket.resetAndDestroy()],
  ["floods with 1xx answers", flood("HTTP/1.1 100 Continue\r\n\r\n")],
  ["floods with headers", flood("HTTP/1.1 200 OK\r\nX: y\r\n")],
  ["sends junk", flood("\0\xff\x1b[2J")],
];

for (const [name, serve] of SERVERS) {
  Deno.test(`a collector that ${name}: reported once over each protocol, and another collector gets all`, async () => {
    await using nginx = await startNginx();
    await using overHttp = await RawServer.start(serve);
    await using overGrpc = await RawServer.start(serve);
    await using good = startReceiver(freePort());
    const impatient = "timeout: 300ms, " +
      "retry_on_failure: { initial_interval: 50ms, max_interval: 100ms }";
    await using tool = await startTcpspan(["-D", `${nginx.port}`], {
      config: `
exporters:
  otlp/http: { endpoint: "${overHttp.url}", ${impatient} }
  otlp/grpc: { endpoint: "${overGrpc.url}", protocol: grpc, ${impatient} }
  otlp/good: { endpoint: "http://127.0.0.1:${good.port}" }
`,
    });
    for (let i = 0; i < SESSIONS; i++) await curl([nginx.url("/")]);
    await until("all deliveries to the other", () => good.spans.length === SESSIONS);
    const isTold = (line: string) => line.includes("; trying again");
    await tool.stderr.waitForLines(2, isTold);
    await new Promise((resolve) => setTimeout(resolve, 1000)); // some more tries
    const status = await Deno.readTextFile(`/proc/${tool.pid}/status`);
    const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
    assert.ok(kilobytes * 1024 < MOST_MEMORY, `${kilobytes} kB`);
    const began = performance.now();
    const ended = await tool.stop("SIGTERM");
    assert.ok(performance.now() - began < 7000, "the end took long");
    assert.equal(ended.status, 0);
    const told = ended.stderr.split("\n").filter(isTold);
    const tellers = told.map((line) => /^tcpspan: (\S+): /.exec(line)?.[1]).sort();
    assert.deepEqual(tellers, ["otlp/grpc", "otlp/http"], ended.stderr);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(ended.stderr.replaceAll("\n", ""), /[\0-\x1f\x7f-\x9f]/);
  });
}

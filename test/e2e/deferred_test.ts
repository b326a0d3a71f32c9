/** nginx with `listen … deferred`: sessions that it gets when their first data comes. */
import assert from "node:assert/strict";
import { only } from "./choose.ts";
import { startNginx } from "./nginx.ts";
import { startTcpspan } from "./tcpspan.ts";

type JsonSpan = Readonly<Record<string, unknown>>;

const WAIT_MS = 300;
const JSON_SPANS = { config: "exporters: { stdout: { format: json } }" };

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`a client that waits before its request makes no long handshake at nginx: ${hostname}`, async () => {
    await using tool = await startTcpspan([], JSON_SPANS);
    await using nginx = await startNginx({ deferred: true });
    await request(hostname, nginx.port);
    const isOurs = (line: string) => line.includes(`"server.port":${nginx.port},`);
    const lines = await tool.stdout.waitForLines(2, isOurs);
    const spans = lines.map(({ text }): JsonSpan => JSON.parse(text));
    const client = only(spans.filter(({ kind }) => kind === "CLIENT"));
    const server = only(spans.filter(({ kind }) => kind === "SERVER"));

    const handshake = Number(client["tcpspan.handshake_us"]);
    assert.ok(handshake > 0 && handshake < WAIT_MS * 1000, `${handshake} µs`);
    const waits = Object.entries(server)
      .filter(([key, value]) => key.endsWith("_us") && Number(value) >= WAIT_MS * 500);
    assert.deepEqual(waits, []);
    assert.equal(server["tcpspan.handshake_us"], undefined);
    assert.ok(Number(server["tcpspan.rtt.min_us"]) > 0);

    // of milliseconds
    const [opened, began] = [timeOf(client["start"]), timeOf(server["start"])];
    assert.ok(began >= opened && began - opened < WAIT_MS / 2, `${opened}, ${began}`);
    const accepted = establishedOf(server) - opened;
    assert.ok(accepted >= WAIT_MS - 1, `${accepted} ms`);
    assert.ok(establishedOf(client) - opened < WAIT_MS / 2);
    assert.equal(server["parent_span_id"], client["span_id"]);
  });
}

/** A request of `/close` that begins a while after its connection. */
async function request(hostname: string, port: number): Promise<void> {
  using connection = await Deno.connect({ hostname, port });
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  await connection.write(new TextEncoder().encode("GET /close HTTP/1.0\r\n\r\n"));
  for await (const _ of connection.readable);
}

function timeOf(value: unknown): number {
  return Date.parse(String(value));
}

function establishedOf(span: JsonSpan): number {
  const events = span["events"];
  assert.ok(Array.isArray(events));
  return timeOf(only(events.filter(({ name }) => name === "tcpspan.established"))["time"]);
}

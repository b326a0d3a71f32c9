/** A process that is stopped for a while, as by Ctrl-Z or a debugger, continues as before. */
import assert from "node:assert/strict";
import { freePort } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { startTcpspan } from "./tcpspan.ts";
import { startTraffic } from "./traffic.ts";

const STOPPED_MS = 1500;

/** A ring that holds all that comes meanwhile, and the smallest ring. */
for (const [ring, overflows] of [["16MiB", false], ["256KiB", true]] as const) {
  Deno.test(`stopped for a while with a ring of ${ring}: sessions made equals sessions delivered plus sessions counted as lost`, async () => {
    await using traffic = startTraffic();
    await using receiver = startReceiver(freePort());
    await using tool = await startTcpspan([], {
      config: `
capture: { remote_ports: [${traffic.port}], ring_buffer: ${ring}, interim: 100ms }
exporters: { otlp: { endpoint: "http://127.0.0.1:${receiver.port}", protocol: http/json } }
`,
    });
    await traffic.make(100);
    await until("the first sessions", () => receiver.spans.length === 100);
    Deno.kill(tool.pid, "SIGSTOP");
    try {
      const before = traffic.made;
      await traffic.during(new Promise((resolve) => setTimeout(resolve, STOPPED_MS)));
      assert.ok(
        traffic.made - before > 1000,
        `a load that tells: ${traffic.made - before} sessions`,
      );
    } finally {
      Deno.kill(tool.pid, "SIGCONT");
    }
    const resumed = performance.now();
    const last = traffic.made + 1;
    await traffic.make(1);
    if (!overflows) await until("the delivery", () => receiver.spans.length === last);
    assert.ok(performance.now() - resumed < 5000);
    const { status, stderr } = await tool.stop("SIGTERM");
    assert.equal(status, 0);
    const lost = Number(/^tcpspan: lost (\d+) sessions?: the ring/m.exec(stderr)?.[1] ?? 0);
    assert.equal(lost > 0, overflows);
    const ids = new Set(receiver.spans.map(({ spanId }) => spanId));
    assert.equal(ids.size + lost, traffic.made);
    assert.doesNotMatch(stderr, /lost .*(not delivered|ran no program)/);
  });
}

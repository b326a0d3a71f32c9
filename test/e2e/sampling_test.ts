/** Sampling as users see it: in the spans that arrive, and in the program's last lines. */
import assert from "node:assert/strict";
import { Burst } from "../kernel/burst.ts";
import { freePort } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { startTcpspan, TRACING, tracingTo } from "./tcpspan.ts";

const SESSIONS = 100;
const REFUSED = 5;

/** Tries to connect where nobody listens. */
async function beRefused(port: number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }));
  }
}

function randomness(traceId: string): bigint {
  return BigInt(`0x${traceId.slice(-14)}`);
}

for (const protocol of ["http/protobuf", "http/json"]) {
  Deno.test(`sampled spans carry their threshold over ${protocol}, and all failures are there`, async () => {
    await using burst = await Burst.prepare({ clients: 1, threads: 1, sessions: SESSIONS });
    const [port, refusing] = [freePort(), freePort()];
    const traces = `http://127.0.0.1:${port}/v1/traces`;
    await using receiver = startReceiver(port);
    await using tool = await startTcpspan([], {
      config: `
capture: { remote_ports: [${burst.port}, ${refusing}] }
sampling: { ratio: 0.5, keep_errors: true }
exporters:
  otlp: { endpoint: "http://127.0.0.1:${port}", protocol: ${protocol} }
  stdout: { format: json }
`,
    });
    await burst.run();
    await beRefused(refusing, REFUSED);
    const refused = () => receiver.spans.filter(({ status }) => status.code === 2);
    await until("the refused attempts", () => refused().length >= REFUSED);
    const { status, stdout, stderr } = await tool.stop("SIGINT");

    const failed = refused();
    assert.deepEqual(failed.map(({ traceState }) => traceState), Array(REFUSED).fill("ot=th:0"));
    const sampled = receiver.spans.filter(({ status }) => status.code !== 2);
    assert.ok(sampled.length > 0 && sampled.length < SESSIONS);
    for (const { traceState, traceId } of sampled) {
      assert.equal(traceState, "ot=th:8");
      assert.ok(randomness(traceId) >= 2n ** 55n);
    }

    const count = receiver.spans.length;
    const all = SESSIONS + REFUSED;
    assert.deepEqual([status, stderr], [
      0,
      `${tracingTo(`otlp ${traces}`, "stdout")}
tcpspan: otlp: delivering to ${traces}
tcpspan: captured ${count} sessions; delivered: otlp ${count}, stdout ${count}
tcpspan: sampled out ${all - count} of ${all} sessions
`,
    ]);
    const states = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(
      states.map(({ trace_id, trace_state }) => `${trace_id} ${trace_state}`).sort(),
      receiver.spans.map(({ traceId, traceState }) => `${traceId} ${traceState}`).sort(),
    );
  });
}

Deno.test("without sampling spans have no trace state", async () => {
  await using burst = await Burst.prepare({ clients: 1, threads: 1, sessions: 1 });
  await using tool = await startTcpspan([], {
    config: `
capture: { remote_ports: [${burst.port}] }
exporters: { stdout: { format: json } }
`,
  });
  await burst.run();
  const [line] = await tool.stdout.waitForLines(1, (line) => line !== "");
  assert.ok(line !== undefined && !("trace_state" in JSON.parse(line.text)));
  assert.deepEqual((await tool.stop("SIGINT")).stderr, `${TRACING}\n`);
});

Deno.test("sessions over the cap are reported, and so is a cgroup that does not exist", async () => {
  await using burst = await Burst.prepare({ clients: 1, threads: 1, sessions: SESSIONS });
  await using tool = await startTcpspan([], {
    config: `
capture:
  remote_ports: [${burst.port}]
  max_sessions_per_second: 10
  exclude_cgroups: [/there/is/none]
exporters: { stdout: { format: csv } }
`,
  });
  await burst.run();
  const { stdout, stderr } = await tool.stop("SIGINT");
  const rows = stdout.trimEnd().split("\n").length - 1;
  const note = "tcpspan: capture.exclude_cgroups: there is no /there/is/none now; it is excluded " +
    "once it exists";
  const loss = `tcpspan: lost ${SESSIONS - rows} sessions: over the cap ` +
    "(capture.max_sessions_per_second)";
  assert.ok(rows >= 10 && rows < SESSIONS);
  assert.deepEqual(stderr.trimEnd().split("\n").filter((line) => !line.includes("until now")), [
    note,
    TRACING,
    loss,
  ]);
});

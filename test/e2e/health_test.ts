/** tcpspan's own health, as users ask for it: the numbers are what really happened. */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { startCollector } from "../backends/collector.ts";
import type { MetricPoint } from "../backends/otlp_metrics.ts";
import { OtlpReceiver } from "../otlp_receiver.ts";
import { curl, freePort, type Nginx, startNginx } from "./nginx.ts";
import { Process, until } from "./process.ts";
import {
  environment,
  REPOSITORY,
  runTcpspan,
  startTcpspan,
  type Tcpspan,
  TRACING,
  tracingTo,
} from "./tcpspan.ts";

const SESSIONS = 7;

async function makeSessions(nginx: Nginx, count = SESSIONS): Promise<void> {
  for (let i = 0; i < count; i++) await curl([nginx.url("/")]);
}

/** The ports on which a process listens. */
function listeningPorts(pid: number): number[] {
  const sockets = new Set(
    [...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/${pid}/fd/${name}`))?.[1];
      } catch {
        return undefined; // closed meanwhile
      }
    }),
  );
  const LISTEN = "0A"; // include/net/tcp_states.h
  return ["tcp", "tcp6"].flatMap((table) =>
    Deno.readTextFileSync(`/proc/${pid}/net/${table}`).split("\n").slice(1).flatMap((line) => {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      return state === LISTEN && sockets.has(inode)
        ? [parseInt(local.split(":")[1] ?? "", 16)]
        : [];
    })
  );
}

/** Waits for a line on stderr. @returns it and the lines after it, `count` in all */
async function linesFrom(tool: Tcpspan, first: string, count: number): Promise<string[]> {
  await tool.stderr.waitForLines(1, (line) => line === first);
  return await until(`${count} lines from ${first}`, () => {
    const texts = tool.stderr.lines.map(({ text }) => text);
    const lines = texts.slice(texts.indexOf(first));
    return lines.length >= count && lines.slice(0, count);
  });
}

Deno.test("SIGUSR2 prints the health on stderr, also on an idle host, and tcpspan keeps running", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`]);
  await makeSessions(nginx);
  await tool.stdout.waitForLines(1 + SESSIONS, () => true);
  await new Promise((resolve) => setTimeout(resolve, 500)); // nothing happens any more
  Deno.kill(tool.pid, "SIGUSR2");
  const lines = await linesFrom(tool, "tcpspan: health", 10);
  const shown = lines.slice(1).map((line) => line.replace(/\d+(\.\d+)? (ms|MiB|s)\b/g, "# $2"));
  assert.deepEqual(shown, [
    "  uptime        # s",
    `  captured      ${SESSIONS} sessions`,
    "  sampled out   0 sessions",
    "  lost          ring full 0, storage failed 0, over the cap 0, unseen 0",
    "  skipped runs  0",
    "  ring          0 B of # MiB wait",
    "  lag           # ms at most, in the last minute or two",
    "  memory        # MiB",
    `  stdout        queued 0 of 100000, in flight 0, exported ${SESSIONS}, rejected 0, not delivered 0, ` +
    "queue full 0, retries 0",
  ]);
  await makeSessions(nginx, 1);
  await tool.stdout.waitForLines(2 + SESSIONS, () => true);
  const { status, stderr } = await tool.stop("SIGINT");
  assert.deepEqual([status, stderr], [0, `${[TRACING, ...lines].join("\n")}\n`]);
});

/** Whether a process ignores SIGUSR1: a run does as soon as it listens for SIGUSR2. */
function ignoresUsr1(pid: number): boolean {
  const [, mask = ""] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(
    Deno.readTextFileSync(`/proc/${pid}/status`),
  ) ?? [];
  return (BigInt(`0x${mask}`) & 1n << BigInt(constants.signals.SIGUSR1 - 1)) !== 0n;
}

Deno.test("from start to end of a run SIGUSR1 opens no debugger and SIGUSR2 ends nothing", async () => {
  const flags = ["-P=table", "--frozen", "mod.ts", "-D", `${freePort()}`, "--duration", "2"];
  await using tool = new Process([Deno.execPath(), "run", ...flags], {
    env: environment(),
    cwd: REPOSITORY,
  });
  await until("the beginning", () => ignoresUsr1(tool.pid));
  for (let i = 0; i < 100; i++) Deno.kill(tool.pid, "SIGUSR2"); // at once
  const ports = new Set<number>();
  const signals = setInterval(() => {
    try {
      Deno.kill(tool.pid, "SIGUSR1");
      Deno.kill(tool.pid, "SIGUSR2");
      for (const port of listeningPorts(tool.pid)) ports.add(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it has ended
    }
  }, 10);
  try {
    const { status, stderr } = await tool.end();
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^tcpspan: tracing$/m);
    assert.match(stderr, /^tcpspan: health$/m);
    assert.doesNotMatch(stderr, /debugger|inspector/i);
    assert.deepEqual([...ports], []);
  } finally {
    clearInterval(signals);
  }
});

Deno.test("with --log-format json all of stderr is JSON objects, also the health", async () => {
  await using nginx = await startNginx();
  const endpoint = `http://127.0.0.1:${freePort()}`;
  const config = `
capture: { remote_ports: [${nginx.port}] }
exporters:
  otlp/a: { endpoint: "${endpoint}", retry_on_failure: { enabled: false } }
  stdout: { format: json }
`;
  const args = ["--log-format", "json"];
  await using tool = await startTcpspan(args, { config, tracing: /"message":"tracing; to / });
  await makeSessions(nginx);
  await tool.stdout.waitForLines(SESSIONS, () => true);
  await tool.stderr.waitForLines(1, (line) => line.includes("connection refused"));
  await until("all to be given up", async () => {
    Deno.kill(tool.pid, "SIGUSR2");
    await new Promise((resolve) => setTimeout(resolve, 100));
    return tool.stderr.lines.some(({ text }) => text.includes(`"failed":${SESSIONS},`));
  });
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  const entries = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  for (const { time, level, message } of entries) {
    assert.ok(Date.parse(time) > 0);
    assert.match(level, /^(warn|info)$/);
    assert.equal(typeof message, "string");
  }
  assert.deepEqual(entries[0].destinations, [
    { exporter: "otlp/a", destination: `${endpoint}/v1/traces` },
    { exporter: "stdout" },
  ]);
  const nothing = entries.find(({ message }) => message.startsWith("nothing was delivered"));
  assert.deepEqual([nothing.level, nothing.exporter, nothing.sessions], ["warn", "otlp/a", 0]);
  const { health } = entries.findLast(({ message }) => message === "health");
  assert.equal(health.captured, SESSIONS);
  assert.deepEqual(health.losses, {
    ringFull: 0,
    storageFailed: 0,
    overCap: 0,
    unseen: 0,
    skippedRuns: 0,
  });
  assert.ok(health.lagSeconds > 0 && health.lagSeconds < 2, `${health.lagSeconds}`);
  assert.ok(health.memory > 2 ** 24);
  const [otlp, stdout] = health.exporters;
  assert.deepEqual([otlp.id, otlp.exported, otlp.failed], ["otlp/a", 0, SESSIONS]);
  assert.deepEqual([stdout.id, stdout.exported, stdout.failed], ["stdout", SESSIONS, 0]);
  const { time: _, ...loss } = entries.at(-1);
  assert.deepEqual(loss, {
    level: "warn",
    message: `lost ${SESSIONS} sessions: otlp/a: not delivered`,
    exporter: "otlp/a",
    sessions: SESSIONS,
    place: "not_delivered",
  });
});

Deno.test("a Collector gets the spans and metrics of a run, and the metrics say how many spans there are", async () => {
  await using nginx = await startNginx();
  await using collector = await startCollector({ metrics: true });
  const config = `
capture: { remote_ports: [${nginx.port}] }
exporters: { otlp/collector: { endpoint: "${collector.otlpHttp}" } }
telemetry: { otlp: { interval: 1s } }
`;
  await using tool = await startTcpspan([], { config });
  await makeSessions(nginx);
  await collector.waitForSpans(SESSIONS);
  const valueOf = (points: readonly MetricPoint[], name: string) =>
    points.filter((point) => point.name === name && !("error.type" in point.attributes))
      .map(({ value }) => value);
  await until("the number of spans, while tracing", async () => {
    const [exported] = valueOf(await collector.metrics(), "otel.sdk.exporter.span.exported");
    return exported === SESSIONS;
  });
  await makeSessions(nginx, 2);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  assert.equal((await collector.waitForSpans(SESSIONS + 2)).length, SESSIONS + 2);
  const last = await until("the metrics of the end", async () => {
    const points = await collector.metrics();
    return valueOf(points, "tcpspan.session.captured")[0] === SESSIONS + 2 && points;
  });
  assert.deepEqual(valueOf(last, "otel.sdk.exporter.span.exported"), [SESSIONS + 2]);
  assert.deepEqual(valueOf(last, "otel.sdk.processor.span.queue.size"), [0]);
  assert.deepEqual(
    valueOf(last, "tcpspan.session.lost").filter((value) => value !== 0),
    [],
    "nothing was lost",
  );
  assert.equal(
    stderr,
    `${tracingTo(`otlp/collector ${collector.otlpHttp}/v1/traces`)}\n` +
      `tcpspan: otlp/collector: delivering to ${collector.otlpHttp}/v1/traces\n` +
      `tcpspan: captured ${SESSIONS + 2} sessions; ` +
      `delivered: otlp/collector ${SESSIONS + 2}\n`,
  );
});

Deno.test("the Prometheus page shows what was captured and what was lost: together, what was made", async () => {
  await using nginx = await startNginx();
  const config = `
capture: { remote_ports: [${nginx.port}], max_sessions_per_second: 2 }
exporters: { stdout: { format: csv } }
telemetry: { prometheus: { listen: "127.0.0.1:0" } }
`;
  await using tool = await startTcpspan([], { config });
  const [line] = await tool.stderr.waitForLines(1, (line) => line.includes("metrics are at"));
  const url = line?.text.split(" ").at(-1) ?? "";
  const MADE = 30;
  await makeSessions(nginx, MADE);
  const value = (page: string, name: string) =>
    Number(new RegExp(`^${name}[,}].* (\\d+)$`, "m").exec(page)?.[1]);
  const page = await until("all of them", async () => {
    const page = await (await fetch(url)).text();
    const captured = value(page, "tcpspan_session_captured_total\\{otel_scope_name=.*");
    const lost = value(page, 'tcpspan_session_lost_total\\{tcpspan_loss_place="over_cap"');
    return captured + lost === MADE && page;
  });
  const lost = value(page, 'tcpspan_session_lost_total\\{tcpspan_loss_place="over_cap"');
  const rows = MADE - lost;
  assert.ok(rows > 0 && lost > 0);
  await tool.stdout.waitForLines(1 + rows, () => true);
  const exported = value(
    await (await fetch(url)).text(),
    'otel_sdk_exporter_span_exported_total\\{otel_component_name="stdout",' +
      'otel_component_type="stdout"',
  );
  assert.equal(exported, rows);
  assert.deepEqual(listeningPorts(tool.pid), [Number(new URL(url).port)]);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  assert.match(stderr, new RegExp(`^tcpspan: lost ${lost} sessions: over the cap`, "m"));
});

Deno.test("a metrics endpoint that refuses is reported once, and delays nothing", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  const config = `
capture: { remote_ports: [${nginx.port}] }
exporters: { stdout: { format: csv }, otlp: { endpoint: "http://127.0.0.1:${port}" } }
telemetry: { otlp: { interval: 1s } }
`;
  await using tool = await startTcpspan([], { config });
  const message = "tcpspan: telemetry.otlp: cannot send to " +
    `http://127.0.0.1:${port}/v1/metrics: connection refused; the next metrics make up for it`;
  await tool.stderr.waitForLines(1, (line) => line === message);
  const { ended } = await curl([nginx.url("/")]);
  const rows = await tool.stdout.waitForLines(2, () => true);
  assert.ok((rows[1]?.at ?? NaN) - ended < 1000);
  await new Promise((resolve) => setTimeout(resolve, 2500)); // two more are refused
  const before = performance.now();
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.ok(performance.now() - before < 2000);
  assert.equal(status, 0);
  assert.equal(stderr.split("telemetry.otlp").length - 1, 1, stderr);
});

Deno.test("a port for the Prometheus page that is in use is reported before anything is attached, status 2", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert(listener.addr.transport === "tcp");
  const { port } = listener.addr;
  const config = `
exporters: { stdout: }
telemetry: { prometheus: { listen: "127.0.0.1:${port}" } }
`;
  assert.deepEqual(await runTcpspan([], { config }), {
    status: 2,
    stdout: "",
    stderr: `tcpspan: telemetry.prometheus.listen: cannot use port ${port}: the port is in use: ` +
      "expected a free one\n",
  });
});

Deno.test("OTEL_SDK_DISABLED switches metrics off, with a warning", async () => {
  const config = 'exporters: { stdout: }\ntelemetry: { prometheus: { listen: "127.0.0.1:0" } }\n';
  await using tool = await startTcpspan([], { config, env: { OTEL_SDK_DISABLED: "true" } });
  assert.deepEqual(listeningPorts(tool.pid), []);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.deepEqual([status, stderr], [
    0,
    `tcpspan: OTEL_SDK_DISABLED is true: telemetry is off\n${TRACING}\n`,
  ]);
});

Deno.test("a reload moves metrics and keeps the page; if one of them fails, neither changes", async () => {
  await using one = await OtlpReceiver.start();
  await using two = await OtlpReceiver.start();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert(listener.addr.transport === "tcp");
  const config = (receiver: OtlpReceiver, telemetry: string) => `
capture: { remote_ports: [${freePort()}] }
exporters: { otlp: { endpoint: "${receiver.url()}" } }
${telemetry}
`;
  const telemetry = (port: number) =>
    `telemetry: { otlp: { interval: 1s }, prometheus: { listen: "127.0.0.1:${port}" } }`;
  await using tool = await startTcpspan([], { config: config(one, telemetry(0)) });
  const reload = async (text: string, answer: RegExp) => {
    await Deno.writeTextFile(tool.config, text);
    Deno.kill(tool.pid, "SIGHUP");
    await tool.stderr.waitForLines(1, (line) => answer.test(line));
  };
  const [line] = await tool.stderr.waitForLines(1, (line) => line.includes("metrics are at"));
  const url = line?.text.split(" ").at(-1) ?? "";
  const page = async () => await (await fetch(url)).text();
  await until("metrics at the first receiver", () => one.requests.length > 0);

  const text = config(two, telemetry(0));
  await reload(text, /: reloaded .*: otlp changed, telemetry changed, /);
  assert.match(await page(), /^tcpspan_session_captured_total/m);
  await until("metrics at the second receiver", () => two.requests.length > 0);
  const before = one.requests.length;
  const again = two.requests.length;
  await until("more at the second receiver", () => two.requests.length > again);
  assert.equal(one.requests.length, before);

  await reload(
    config(one, telemetry(listener.addr.port)),
    /: reload: kept the running config: telemetry\.prometheus\.listen: .* in use/,
  );
  assert.match(await page(), /^tcpspan_session_captured_total/m);
  await until("more at the second receiver", () => two.requests.length > again + 2);
  assert.equal(one.requests.length, before);

  await reload(config(two, ""), /: reloaded .*: telemetry changed, /);
  assert.deepEqual(listeningPorts(tool.pid), []);
  await Deno.writeTextFile(tool.config, text);
  Deno.kill(tool.pid, "SIGHUP");
  const pages = await tool.stderr.waitForLines(2, (line) => line.includes("metrics are at"));
  const newUrl = pages[1]?.text.split(" ").at(-1) ?? "";
  assert.match(await (await fetch(newUrl)).text(), /^tcpspan_session_captured_total/m);
  assert.equal((await tool.stop("SIGTERM")).status, 0);
});

/** Programs that stay in the kernel, as users see them. */
import assert from "node:assert/strict";
import { BpfFileSystem } from "../kernel/bpf_file_system.ts";
import { freePort } from "./nginx.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { runTcpspan, startTcpspan, TRACING } from "./tcpspan.ts";
import { startTraffic, type Traffic } from "./traffic.ts";

/** Rows of one end of each session, with programs that are pinned. */
function config(pin: string, traffic: Traffic): string {
  return `
capture: { pin: ${pin}, remote_ports: [${traffic.port}] }
exporters: { stdout: { format: json } }
`;
}

const goesOn = (pin: string) =>
  `tcpspan: sessions are still recorded in ${pin}, for the next start; to end that: tcpspan unpin ${pin}\n`;

Deno.test("sessions that end between two runs are in the second one's rows, each once", async () => {
  await using system = await BpfFileSystem.mount();
  await using traffic = startTraffic();
  const pin = `${system.path}/tcpspan`;
  await using first = await startTcpspan([], { config: config(pin, traffic) });
  await traffic.make(1);
  await first.stdout.waitForLines(1, () => true);
  const { status, stderr } = await first.stop("SIGTERM");
  assert.deepEqual([status, stderr], [0, `${TRACING}\n${goesOn(pin)}`]);
  await traffic.make(2);
  await using second = await startTcpspan([], { config: config(pin, traffic) });
  await traffic.make(1);
  await second.stdout.waitForLines(3, () => true);
  const { stdout } = await second.stop("SIGTERM");
  assert.equal(stdout.trim().split("\n").length, 3);
  await unpin(pin);
});

Deno.test("a second tcpspan with the same pin: status 1, and it says what to do", async () => {
  await using system = await BpfFileSystem.mount();
  await using traffic = startTraffic();
  const pin = `${system.path}/tcpspan`;
  await using running = await startTcpspan([], { config: config(pin, traffic) });
  for (const [args, attempt] of [[[], "pin to"], [["unpin", pin], "unpin"]] as const) {
    const options = args.length === 0 ? { config: config(pin, traffic) } : {};
    assert.deepEqual(await runTcpspan(args, options), {
      status: 1,
      stdout: "",
      stderr: `tcpspan: cannot ${attempt} ${pin}: another tcpspan uses it: stop that one first\n`,
    });
  }
  await traffic.make(1);
  await running.stdout.waitForLines(1, () => true); // it keeps running
  await running.stop("SIGTERM");
  await unpin(pin);
});

Deno.test("a pin that is not in a BPF file system: status 2, before anything is attached", async () => {
  await using traffic = startTraffic();
  const { status, stderr } = await runTcpspan([], { config: config("/var/tcpspan", traffic) });
  assert.equal(
    stderr,
    "tcpspan: cannot pin to /var/tcpspan: it is not in a BPF file system: name a folder in one, or " +
      "mount one: mount -t bpf bpf /sys/fs/bpf\n",
  );
  assert.equal(status, 2);
});

Deno.test("unpin says what it removed, also if the config names it, and later that nothing is left", async () => {
  await using system = await BpfFileSystem.mount();
  await using traffic = startTraffic();
  const pin = `${system.path}/tcpspan`;
  await using tool = await startTcpspan([], { config: config(pin, traffic) });
  await tool.stop("SIGTERM");
  await traffic.make(3);
  const file = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(file, config(pin, traffic));
  const env = { TCPSPAN_CONFIG: file };
  assert.deepEqual(await runTcpspan(["unpin"], { env }), {
    status: 0,
    stdout: "",
    stderr: `tcpspan: removed ${pin}: 5 programs detached\n` +
      "tcpspan: lost 3 sessions: no run had read them\n",
  });
  assert.deepEqual(await runTcpspan(["unpin"], { env }), {
    status: 0,
    stdout: "",
    stderr: `tcpspan: nothing is pinned in ${pin}\n`,
  });
  await Deno.remove(file);
});

Deno.test("tcpspan's own attempts to export are rows only if own_traffic is set", async () => {
  for (const own of [false, true]) {
    const port = freePort(); // nobody listens there
    await using traffic = startTraffic();
    await using tool = await startTcpspan([], {
      config: `
capture: { remote_ports: [${port}, ${traffic.port}], own_traffic: ${own} }
exporters:
  stdout: { format: json }
  otlp:
    endpoint: "http://127.0.0.1:${port}"
    retry_on_failure: { initial_interval: 50ms, max_interval: 50ms }
`,
    });
    await traffic.make(1);
    await tool.stderr.waitForLines(1, (line) => line.includes("connection refused"));
    await new Promise((resolve) => setTimeout(resolve, 300)); // some more tries
    await traffic.make(1);
    const isMade = (line: string) => line.includes(`"server.port":${traffic.port},`);
    await tool.stdout.waitForLines(2, isMade);
    const { stdout } = await tool.stop("SIGTERM");
    const others = stdout.trim().split("\n").filter((line) => !isMade(line));
    assert.equal(others.length > 0, own, others.join("\n"));
  }
});

Deno.test("neither end of the sessions in which tcpspan exports is traced", async () => {
  const port = freePort();
  await using traffic = startTraffic();
  await using receiver = startReceiver(port);
  await using tool = await startTcpspan([], {
    config: `
capture: { local_ports: [], remote_ports: [] }
exporters:
  stdout: { format: json }
  otlp: { endpoint: "http://127.0.0.1:${port}" }
`,
  });
  await traffic.make(3);
  await until("the delivery", () => receiver.spans.length >= 3);
  await receiver[Symbol.asyncDispose](); // the connection ends
  await traffic.make(1);
  await tool.stdout.waitForLines(8, (line) => line.includes(`"server.port":${traffic.port},`));
  const { stdout } = await tool.stop("SIGTERM");
  const exporting = stdout.split("\n").filter((line) => line.includes(`port":${port},`));
  assert.deepEqual(exporting, []);
});

async function unpin(pin: string): Promise<void> {
  assert.equal((await runTcpspan(["unpin", pin])).status, 0);
}

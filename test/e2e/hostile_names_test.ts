/**
 * Processes whose names are made to harm whoever looks at them: executable, comm, cgroup,
 * command line and OTEL_SERVICE_NAME. Every format shows one record per session, safe to look at.
 */
import assert from "node:assert/strict";
import { decodeTraceRequest } from "../otlp_protobuf.ts";
import { parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { UNSAFE } from "../fuzz/expect.ts";
import { accept, OtlpReceiver } from "../otlp_receiver.ts";
import { Process, until } from "./process.ts";
import { runTcpspan, startTcpspan, type Tcpspan } from "./tcpspan.ts";

/** Names in bash's notation, which has bytes: $'…'. */
const NAMES = [
  String.raw`\e[2J\e]0;evil\a`,
  String.raw`\x9b31m\xc2\x9b31m`,
  String.raw`\u202egpj.exe\u2066`,
  String.raw`a\u200bb\ufeff\u00ad`,
  String.raw`a,"b",=1+1`,
  String.raw`a\nb\rc\td`,
  String.raw`\\x1b\\`,
  String.raw`\xff\xfe\xed\xa0\x80`,
  String.raw`=cmd|\' C\'!A0`,
] as const;

/** A session of a process with such a name everywhere a process can have one. */
const SCRIPT = String.raw`
set -e
name=$(printf %s "$3"; printf .); name=\${name%.}
folder=$(mktemp -d)
mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
cgroup="$mount/tcpspan-$$-\${name//$'\n'/}.service"
mkdir "$cgroup"
cp "$(command -v bash)" "$folder/$name"
OTEL_SERVICE_NAME="$name" "$folder/$name" -c '
  echo $$ >"$2/cgroup.procs"
  printf %s "$1" >/proc/self/comm
  exec 3<>/dev/tcp/$3/$4
  exec 3>&-
  sleep 4 </dev/null >/dev/null 2>&1
  :
' bash "$name" "$cgroup" "$1" "$2"
rmdir "$cgroup"
rm -r "$folder"
`.replaceAll("\\${", "${");

const FORMATS = ["table", "wide", "csv", "json"] as const;

Deno.test("hostile names: one safe record a session in each format, whole in OTLP", async () => {
  // its own address: other tests may use the port
  const hostname = `127.93.${Math.floor(Math.random() * 256)}.${
    Math.floor(Math.random() * 254) + 1
  }`;
  const listener = Deno.listen({ hostname, port: 0 });
  const { port } = listener.addr;
  await using stack = new AsyncDisposableStack();
  const served = (async () => {
    for await (const connection of listener) connection.close();
  })().catch(() => {}); // until it is closed
  stack.defer(async () => {
    listener.close();
    await served;
  });
  await using protobuf = await OtlpReceiver.start(accept);
  await using json = await OtlpReceiver.start(accept);
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-hostile-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const tools = new Map<string, Tcpspan>();
  for (const format of FORMATS) {
    const tool = await startTcpspan(["-D", `${port}`], {
      config: `
capture: { include_cidrs: [${hostname}] }
resource: { command_line: true, from_process_env: ${format === "json"} }
exporters:
  stdout: { format: ${format} }
  ${format === "json" ? `file: { path: ${folder}/spans.jsonl }` : ""}
  ${format === "json" ? `otlp/p: { endpoint: "${protobuf.url()}" }` : ""}
  ${format === "json" ? `otlp/j: { endpoint: "${json.url()}", protocol: http/json }` : ""}
`,
    });
    tools.set(format, stack.use(tool));
  }
  const processes = NAMES.map((name) =>
    stack.use(
      new Process([
        "bash",
        "-c",
        `exec bash -c "$0" bash "$1" "$2" $'${name}'`,
        SCRIPT,
        hostname,
        `${port}`,
      ]),
    )
  );
  const header = { table: 1, wide: 1, csv: 1, json: 0 };
  for (const format of FORMATS) {
    const tool = tools.get(format);
    assert.ok(tool !== undefined);
    await tool.stdout.waitForLines(NAMES.length + header[format], () => true);
  }
  await until("the deliveries", () => protobuf.requests.length > 0 && json.requests.length > 0);
  for (const process of processes) {
    const { status, stderr } = await process.end();
    assert.equal(status, 0, stderr);
  }
  for (const format of FORMATS) {
    const tool = tools.get(format);
    assert.ok(tool !== undefined);
    const { status, stdout, stderr } = await tool.stop("SIGINT");
    assert.equal(status, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, NAMES.length + header[format], stdout);
    for (const line of lines) assert.ok(!UNSAFE.test(line), JSON.stringify(line));
    assert.ok(!UNSAFE.test(stderr.replaceAll("\n", "")), stderr);
    if (format === "json") lines.forEach((line) => JSON.parse(line));
  }

  const file = (await Deno.readTextFile(`${folder}/spans.jsonl`)).trimEnd();
  for (const line of file.split("\n")) assert.ok(!UNSAFE.test(line), JSON.stringify(line));
  const sent = {
    file: parseOtlpJsonLines(`${file}\n`),
    protobuf: protobuf.requests.flatMap(({ body }) =>
      parseOtlpJsonLines(`${JSON.stringify(decodeTraceRequest(body))}\n`)
    ),
    json: json.requests.flatMap(({ body }) =>
      parseOtlpJsonLines(`${new TextDecoder("utf-8", { fatal: true }).decode(body)}\n`)
    ),
  };
  for (const [exporter, spans] of Object.entries(sent)) {
    const services = spans.map(({ resource }) => resource["service.name"]);
    assert.equal(services.length, NAMES.length, exporter);
    // what is UTF-8 arrives unchanged: the backend decides how to show it
    for (
      const whole of ["\u202egpj.exe\u2066", 'a,"b",=1+1', "\x1b[2J\x1b]0;evil\x07", "a\nb\rc\td"]
    ) {
      assert.ok(services.includes(whole), `${exporter}: ${JSON.stringify(services)}`);
    }
    assert.ok(services.every((name) => String(name).isWellFormed()));
  }
});

Deno.test("a path with control characters is reported without them", async () => {
  const { status, stderr } = await runTcpspan(["--config", "/nowhere/\x1b[2J\x9b\u202e.yaml"]);
  assert.equal(status, 2);
  assert.equal(
    stderr,
    "tcpspan: /nowhere/\\x1b[2J\\u{9b}\\u{202e}.yaml: cannot read config: no such file\n",
  );
});

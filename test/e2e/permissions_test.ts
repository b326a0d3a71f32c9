/** Deno's permissions: the sets of deno.json are enough to trace with, and less than everything. */
import assert from "node:assert/strict";
import denoJson from "../../deno.json" with { type: "json" };
import { BpfFileSystem } from "../kernel/bpf_file_system.ts";
import { unusedPort } from "../raw_server.ts";
import { curl, freePort, startNginx } from "./nginx.ts";
import { inMounts } from "./places.ts";
import { Process, until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { environment, REPOSITORY, runTcpspan, startTcpspan, TRACING } from "./tcpspan.ts";

const CONFIG = "/etc/tcpspan/tcpspan.yaml";
const SPANS = "/var/log/tcpspan/spans.jsonl";
/** Deno's own warning about permission sets. */
const NOTICE = /^Warning Permissions in the config file is an experimental feature.*\n/;

/** The folders that the set `export` names, in a mount namespace, with a config. */
function installed(config: string) {
  return inMounts(`
    for folder in /etc /var/lib /var/log; do
      mkdir -p /mnt/upper$folder /mnt/work$folder
      mount -t overlay \
        -o lowerdir=$folder,upperdir=/mnt/upper$folder,workdir=/mnt/work$folder overlay $folder
      mkdir -p $folder/tcpspan
    done
    cat >${CONFIG} <<'END'
${config}
END
  `);
}

Deno.test("-P=table is enough for a table", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], { permissions: ["-P=table"] });
  await curl([nginx.url("/")]);
  await tool.stdout.waitForLines(1, (line) => line.includes(" curl "));
  const { status, stderr } = await tool.stop("SIGINT");
  assert.deepEqual([status, stderr.replace(NOTICE, "")], [0, `${TRACING}\n`]);
});

for (const protocol of ["http/protobuf", "http/json"] as const) {
  Deno.test(`-P=export is enough for ${protocol}, a file and JSON, with the process's path`, async () => {
    await using nginx = await startNginx();
    const port = freePort();
    await using receiver = startReceiver(port);
    await using tool = await startTcpspan(["--config", CONFIG, "-L", `${nginx.port}`], {
      permissions: ["-P=export"],
      env: { TCPSPAN_TOKEN: "of-the-test" },
      inside: installed(`
exporters:
  stdout: { format: json }
  file: { path: ${SPANS} }
  otlp:
    endpoint: http://127.0.0.1:${port}
    protocol: ${protocol}
    headers: { authorization: "Bearer \${env:TCPSPAN_TOKEN}" }
`),
    });
    await curl([nginx.url("/")]);
    const [line] = await tool.stdout.waitForLines(1, (text) => text.startsWith("{"));
    const span: Record<string, unknown> = JSON.parse(line?.text ?? "");
    assert.match(String(span["process.executable.path"]), /\/nginx$/);
    await until("the delivery", () => receiver.spans.length === 1);
    assert.equal(receiver.headers[0]?.get("authorization"), "Bearer of-the-test");
    const file = `/proc/${tool.pid}/root${SPANS}`;
    await until("the line in the file", async () => (await Deno.stat(file)).size > 0);
    const { status } = await tool.stop("SIGINT");
    assert.equal(status, 0);
  });
}

Deno.test("-P=export is enough for a pin and a queue on disk", async () => {
  await using system = await BpfFileSystem.mount();
  await using nginx = await startNginx();
  const pin = `${system.path}/tcpspan`;
  await using tool = await startTcpspan(["--config", CONFIG, "-L", `${nginx.port}`], {
    permissions: ["-P=export"],
    inside: installed(`
capture: { pin: ${pin} }
exporters:
  otlp:
    endpoint: http://127.0.0.1:${unusedPort()}
    sending_queue: { storage: /var/lib/tcpspan, persistent: true }
`),
  });
  await curl([nginx.url("/")]);
  await tool.stderr.waitForLines(1, (line) => line.includes("trying again"));
  const { status, stderr } = await tool.stop("SIGINT");
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^tcpspan: otlp keeps 1 session on disk$/m);
  assert.match(stderr, /^tcpspan: sessions are still recorded in /m);
  assert.equal((await runTcpspan(["unpin", pin], { permissions: ["-P=table"] })).status, 0);
});

Deno.test("a path outside the set is reported, with what to do, status 2", async () => {
  const { status, stdout, stderr } = await runTcpspan(["--config", CONFIG], {
    permissions: ["-P=export"],
    inside: installed("exporters: { file: { path: /var/tmp/spans.jsonl } }"),
  });
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(
    stderr.replace(NOTICE, ""),
    /^tcpspan: Deno's permissions forbid what this run needs: .*"\/var\/tmp\/spans\.jsonl".*; see docs\/security\.md\n$/,
  );
});

Deno.test("a run that may not call the system says so, status 2", async () => {
  const { status, stdout, stderr } = await runTcpspan([], {
    permissions: ["--allow-read", "--allow-env", "--no-prompt"],
  });
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(
    stderr,
    /^tcpspan: Deno's permissions forbid what this run needs: Requires ffi access .*; see docs\/security\.md\n$/,
  );
});

Deno.test("help, and with it the library's import, may be had without FFI", async () => {
  const { status, stderr } = await runTcpspan(["--help"], {
    permissions: ["--allow-read", "--no-prompt"],
  });
  assert.deepEqual([status, stderr], [0, ""]);
});

/** What code that got into the program could try with Deno's own functions. */
const ATTEMPTS = {
  "read the passwords": 'Deno.readTextFileSync("/etc/shadow")',
  "read a home": 'Deno.readDirSync("/root").next()',
  "read another's memory": 'Deno.openSync("/proc/1/mem")',
  "write a file": 'Deno.writeTextFileSync("/etc/cron.d/evil", "")',
  "change the program": 'Deno.writeTextFileSync("mod.ts", "")',
  "run a program": 'new Deno.Command("true").outputSync()',
  "read a secret of the environment": 'if (Deno.env.get("SECRET") === undefined) throw "unset"',
  "list the interfaces": "Deno.networkInterfaces()",
} as const;
const CONNECT = { "connect": 'await Deno.connect({ port: 1, transport: "tcp" })' };

for (
  const { set, denied } of [
    { set: "table", denied: { ...ATTEMPTS, ...CONNECT } },
    { set: "export", denied: ATTEMPTS },
  ] as const
) {
  Deno.test(`-P=${set} denies what -A allows`, async () => {
    const script = Object.entries(denied).map(([what, code]) =>
      `try { ${code}; console.log(${JSON.stringify(what)}); } catch (error) {
        const isDenied = error === "unset" || error instanceof Deno.errors.NotCapable;
        if (!isDenied) console.log(${JSON.stringify(what)}, error.message);
      }`
    ).join("\n");
    const file = await Deno.makeTempFile({ suffix: ".js" });
    try {
      await Deno.writeTextFile(file, script);
      await using process = new Process(
        [
          Deno.execPath(),
          "run",
          "--no-prompt",
          `--config=${REPOSITORY}deno.json`,
          `-P=${set}`,
          file,
        ],
        { env: environment({ SECRET: "of-the-test" }), cwd: REPOSITORY },
      );
      const { status, stdout, stderr } = await process.end();
      assert.deepEqual([status, stdout], [0, ""], stderr);
    } finally {
      await Deno.remove(file);
    }
  });
}

Deno.test("no set allows running programs, and every set has FFI, which tcpspan needs", () => {
  for (const set of Object.values(denoJson.permissions)) {
    assert.ok(!("run" in set) && !("all" in set));
    assert.equal(set.ffi, true);
  }
});

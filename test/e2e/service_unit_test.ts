/**
 * deploy/tcpspan.service, without a systemd to run it: what systemd says of it, and its command as
 * its user, with its capabilities, in a file system that is read-only but for its folders.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../kernel/host.ts";
import { curl, freePort, startNginx } from "./nginx.ts";
import { denoFolder, inMounts } from "./places.ts";
import { Process, until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { environment, REPOSITORY, TRACING } from "./tcpspan.ts";

const UNIT = join(REPOSITORY, "deploy/tcpspan.service");
const MOST_EXPOSED = 25; // of 100, as systemd-analyze counts

/** The values of `key`, in the order of the file. */
async function valuesOf(key: string): Promise<string[]> {
  const lines = (await Deno.readTextFile(UNIT)).split("\n");
  return lines.filter((line) => line.startsWith(`${key}=`)).map((line) =>
    line.slice(key.length + 1)
  );
}

/** The only value of `key`. */
async function valueOf(key: string): Promise<string> {
  const values = await valuesOf(key);
  assert.equal(values.length, 1, key);
  return values[0] ?? "";
}

Deno.test("systemd finds nothing wrong in the unit, and little that it could do", async () => {
  await run("systemd-analyze", "verify", UNIT);
  await run("systemd-analyze", "security", "--offline=true", `--threshold=${MOST_EXPOSED}`, UNIT);
});

Deno.test("the unit has three capabilities, and its sets are the same", async () => {
  assert.equal(await valueOf("CapabilityBoundingSet"), "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE");
  assert.equal(await valueOf("AmbientCapabilities"), await valueOf("CapabilityBoundingSet"));
});

/** The unit's command where the unit would run it. @param config of /etc/tcpspan/tcpspan.yaml */
async function startUnit(config: string, before: readonly string[] = []): Promise<Process> {
  const capabilities = (await valueOf("AmbientCapabilities")).split(" ")
    .map((name) => `+${name.slice("CAP_".length).toLowerCase()}`);
  const sets = ["--bounding-set", "--inh-caps", "--ambient-caps"]
    .map((set) => `${set}=-all,${capabilities.join(",")}`);
  const [deno = "", ...args] = (await valueOf("ExecStart")).split(" ");
  assert.equal(deno, "/usr/local/bin/deno");
  const variables = (await valueOf("Environment")).split(" ")
    .map((setting) => setting.split("=", 2));
  const inside = inMounts(
    `
    overlay() {
      mkdir -p /mnt/upper$1 /mnt/work$1
      mount -t overlay -o "lowerdir=$2,upperdir=/mnt/upper$1,workdir=/mnt/work$1" overlay $3
    }
    for folder in /etc /opt /var; do overlay $folder $folder $folder; done
    mkdir -p /etc/tcpspan /opt/tcpspan /var/lib/tcpspan /var/log/tcpspan
    overlay /program '${REPOSITORY}' /opt/tcpspan
    mkdir -p /opt/tcpspan/.deno
    cp -r '${await denoFolder()}/npm' /opt/tcpspan/.deno/npm
    cd /opt/tcpspan
    DENO_DIR=/opt/tcpspan/.deno '${Deno.execPath()}' install --quiet --frozen
    chown 65534:65534 /var/lib/tcpspan /var/log/tcpspan
    chmod 0700 /var/lib/tcpspan /var/log/tcpspan
    mount -t tmpfs -o mode=0700,uid=65534 tmpfs /var/log/tcpspan
    cat >/etc/tcpspan/tcpspan.yaml <<'END'
${config}
END
    chmod -R go+rX /etc/tcpspan /opt/tcpspan
    for folder in / /etc /opt /opt/tcpspan /var; do mount -o remount,bind,ro $folder; done
    umask ${await valueOf("UMask")}
    `,
    ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", ...sets],
    ...before,
  );
  return new Process([...inside, Deno.execPath(), ...args], {
    env: environment(Object.fromEntries(variables)),
  });
}

Deno.test("its command runs as its user: spans with paths, a file for nobody else, as deployed", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  await using receiver = startReceiver(port);
  const deployed = await Deno.readTextFile(join(REPOSITORY, "deploy/tcpspan.yaml"));
  const config = deployed.replace(/^capture:\n/m, `capture:\n  local_ports: [${nginx.port}]\n`)
    .replace("localhost:4318", `127.0.0.1:${port}`)
    .replace("  # file:\n  #   path:", "  file:\n    path:");
  await using tool = await startUnit(config);
  await tool.stderr.waitForLines(1, (line) => line === TRACING);
  await curl([nginx.url("/")]);
  await until("the delivery", () => receiver.spans.length === 1);
  const file = `/proc/${tool.pid}/root/var/log/tcpspan/spans.jsonl`;
  await until("the file", async () => (await Deno.stat(file)).size > 0);
  assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  assert.match(String(receiver.spans[0]?.resource["process.executable.path"]), /\/nginx$/);
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  assert.doesNotMatch(stderr, /without CAP_|cannot|lost/);
});

Deno.test("each system call that a run makes is one that the unit allows", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  await using receiver = startReceiver(port);
  const trace = "/var/log/tcpspan/calls";
  await using tool = await startUnit(
    `
drop_privileges: true
capture: { local_ports: [${nginx.port}], interim: 1s, report_open_on_exit: true }
exporters:
  otlp: { endpoint: "http://localhost:${port}" }
  otlp/grpc: { endpoint: "http://localhost:1", protocol: grpc }
  file: { path: /var/log/tcpspan/spans.jsonl }
`,
    ["strace", "-D", "-f", "-qq", "-o", trace],
  );
  await tool.stderr.waitForLines(1, (line) => line === TRACING);
  await curl([nginx.url("/")]);
  await until("the delivery", () => receiver.spans.length === 1);
  const text = await Deno.readTextFile(`/proc/${tool.pid}/root${trace}`);
  const made = new Set(
    [...text.matchAll(/^\d+ +(?:<\.\.\. )?(\w+)[( ]/gm)].map(([, name]) => name),
  );
  assert.ok(made.has("bpf") && made.has("seccomp"), [...made].join(" "));
  const allowed = await allowedSystemCalls();
  assert.deepEqual([...made].filter((name) => name !== undefined && !allowed.has(name)), []);
});

/** What the lines of SystemCallFilter come to: systemd.exec(5). */
async function allowedSystemCalls(): Promise<ReadonlySet<string>> {
  const groups = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of (await run("systemd-analyze", "syscall-filter")).split("\n")) {
    const name = line.trim();
    if (line.startsWith("@")) groups.set(name, members = []);
    else if (name !== "" && !name.startsWith("#")) members.push(name);
  }
  const expand = (name: string): string[] =>
    name.startsWith("@") ? (groups.get(name) ?? []).flatMap(expand) : [name];
  const allowed = new Set(expand("@default"));
  for (const value of await valuesOf("SystemCallFilter")) {
    const removes = value.startsWith("~");
    for (const name of value.replace("~", "").split(" ").flatMap(expand)) {
      if (removes) allowed.delete(name);
      else allowed.add(name);
    }
  }
  return allowed;
}

/** doctor tries what a run would do, and reports each thing as ok, without or no. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { startJaeger } from "../backends/jaeger.ts";
import { BpfFileSystem } from "../kernel/bpf_file_system.ts";
import { freePort } from "./nginx.ts";
import { asNobody, inMounts, type Inside, WITHOUT_PROC } from "./places.ts";
import { Process } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import {
  environment,
  REPOSITORY,
  runTcpspan,
  startTcpspan,
  type TcpspanOptions,
} from "./tcpspan.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { together } from "../together.ts";

/** What `doctor --json` prints. */
interface Report {
  readonly usable: boolean;
  readonly items: readonly {
    readonly name: string;
    readonly result: "ok" | "without" | "no";
    readonly found: string;
    readonly advice?: string;
  }[];
  readonly session: Readonly<Record<string, unknown>> | null;
}

async function examine(
  options: Pick<TcpspanOptions, "inside" | "config" | "permissions"> = {},
): Promise<Report> {
  const { status, stdout, stderr } = await runTcpspan(["doctor", "--json"], options);
  assert.equal(stderr, "");
  const report: Report = JSON.parse(stdout);
  assert.equal(status, report.usable ? 0 : 1);
  return report;
}

/** The names of the items that are not `ok`, with their results. */
function blemishes({ items }: Report): string[] {
  return items.filter(({ result }) => result !== "ok").map(({ name, result }) =>
    `${result}: ${name}`
  );
}

function itemOf(report: Report, name: string) {
  const item = report.items.find((item) => item.name === name);
  assert.ok(item !== undefined, `no item ${name} in ${JSON.stringify(report.items)}`);
  return item;
}

Deno.test("doctor shows the row of a session that it made, and says that a run would work", async () => {
  const { status, stdout, stderr } = await runTcpspan(["doctor"]);
  assert.deepEqual([status, stderr], [0, ""]);
  const [items = "", table = "", verdict] = stdout.split("\n\n");
  for (const line of items.split("\n")) assert.match(line, /^ok {7}\S.* {2,}\S/);
  const [header, row, ...others] = table.split("\n");
  assert.equal(
    header,
    "PID   COMM       LADDR           LPORT RADDR           RPORT TX_KB RX_KB MS",
  );
  assert.match(row ?? "", /^\d+ +deno +127\.0\.0\.1 +\d+ +127\.0\.0\.1 +\d+ +4 +2 \d+\.\d\d$/);
  assert.deepEqual(others, []);
  assert.equal(verdict, "tcpspan can trace here\n");
});

Deno.test("doctor --json reports the same to programs", async () => {
  const report = await examine();
  assert.deepEqual(blemishes(report), []);
  assert.equal(report.usable, true);
  assert.deepEqual(
    { ...report.session, pid: 0, local_port: 0, peer_port: 0, life_us: 0 },
    {
      pid: 0,
      comm: "deno",
      local_address: "127.0.0.1",
      local_port: 0,
      peer_address: "127.0.0.1",
      peer_port: 0,
      tx_bytes: 4096,
      rx_bytes: 2048,
      life_us: 0,
    },
  );
});

/** A seccomp filter that refuses a system call, or none. */
function belowSeccomp(refused: string): Inside {
  return [Deno.execPath(), "run", "-A", "test/programs/below_seccomp.ts", refused];
}

const NO_CGROUP2 = inMounts(`
  awk '$3 == "cgroup2" { print $2 }' /proc/mounts | while read -r folder; do umount -l "$folder"; done
`);

type Losses = readonly (readonly [item: string, found: RegExp, loss: RegExp])[];

/** What a user lacks who has only CAP_BPF and CAP_PERFMON. */
const LESS: Losses = [
  ["CAP_SYS_PTRACE", /^not given$/, /process\.executable\.path/],
  ["CAP_DAC_READ_SEARCH", /^not given$/, /OTEL_SERVICE_NAME/],
  ["CAP_SYS_ADMIN", /^not given$/, /other network namespaces/],
];

/** Places in which a run works, with everything or with less. */
const WORKING: readonly (readonly [name: string, inside: Inside, blemishes: Losses])[] = [
  ["another user, with CAP_BPF and CAP_PERFMON", await asNobody(["bpf", "perfmon"]), LESS],
  [
    "another user under a seccomp filter that refuses nothing, without access to root's bpffs",
    [
      ...inMounts("mount -t bpf -o mode=700 bpf /sys/fs/bpf"),
      ...await asNobody(["bpf", "perfmon"]),
      ...belowSeccomp(""),
    ],
    LESS,
  ],
  [
    "/proc with hidepid, for another user",
    [
      ...inMounts("mount -t proc -o hidepid=2 proc /proc"),
      ...await asNobody(["bpf", "perfmon", "sys_admin", "dac_read_search"]),
    ],
    [
      ["CAP_SYS_PTRACE", /^not given$/, /./],
      ["/proc", /hidepid=/, /other users' processes/],
      ["entering other network namespaces (CAP_SYS_ADMIN and CAP_SYS_PTRACE)", /./, /no role/],
    ],
  ],
  ["/proc with hidepid, for root", inMounts("mount -t proc -o hidepid=2 proc /proc"), []],
  ["/proc with subset=pid", inMounts("mount -t proc -o subset=pid proc /proc"), [
    ["/proc", /subset=pid/, /ports of clients/],
  ]],
  ["no /proc", WITHOUT_PROC, [
    ["/proc", /^not mounted$/, /no process id/],
    ["cgroup v2", /^unknown/, /container\.id/],
  ]],
  ["no cgroup v2", NO_CGROUP2, [["cgroup v2", /^not mounted$/, /container\.id/]]],
  ["a network namespace without loopback", ["unshare", "--net"], [
    ["a session of its own", /Network is unreachable/, /ip link set lo up/],
  ]],
  [
    "a time namespace",
    ["unshare", "--time", "--boottime=100000", "--fork"],
    [],
  ],
  ["a JIT compiler that is off", withJit("0", Deno.osRelease()), [
    ["BPF JIT compiler", /^off$/, /bpf_jit_enable=1/],
  ]],
];

const examineWorking = together(WORKING, ([, inside]) => examine({ inside }));

for (const working of WORKING) {
  const [name, , expected] = working;
  Deno.test(`doctor: ${name}: a run works, and doctor says what it lacks`, async () => {
    const report = await examineWorking(working);
    assert.deepEqual(blemishes(report), expected.map(([item]) => `without: ${item}`));
    for (const [item, found, loss] of expected) {
      assert.match(itemOf(report, item).found, found);
      assert.match(itemOf(report, item).advice ?? "", loss);
    }
  });
}

/** A host whose files show another kernel; the kernel itself stays the same. */
function withJit(value: string, release: string): Inside {
  return inMounts(`
    echo '${release}' >/mnt/osrelease
    mount --bind /mnt/osrelease /proc/sys/kernel/osrelease
    echo '${value}' >/mnt/jit
    mount --bind /mnt/jit /proc/sys/net/core/bpf_jit_enable
  `);
}

/** Places in which no run works: what doctor says, and what a run says. */
const BROKEN: readonly (readonly [
  name: string,
  inside: Inside,
  items: readonly (readonly [item: string, found: RegExp, advice: RegExp])[],
  run: RegExp,
])[] = [
  [
    "a user namespace",
    ["unshare", "--user", "--map-root-user"],
    [
      ["user namespace", /^not the host's$/, /outside of it/],
      ["capture", /^cannot .*: Operation not permitted/, /^in a user namespace, .*outside of it/],
    ],
    /^tcpspan: cannot .*: Operation not permitted\n(.*\n)* {2}-> in a user namespace, .*\n$/,
  ],
  [
    "a user namespace under a seccomp filter that refuses nothing",
    ["unshare", "--user", "--map-root-user", ...belowSeccomp("")],
    [
      ["user namespace", /^not the host's$/, /outside of it/],
      ["capture", /: Operation not permitted/, /^in a user namespace, [^\n]*$/],
    ],
    /^tcpspan: cannot .*: Operation not permitted\n(.*\n)* {2}-> in a user namespace, .*\n$/,
  ],
  [
    "a seccomp filter that refuses bpf(2)",
    belowSeccomp("bpf"),
    [
      ["seccomp filter", /^one that refuses bpf\(2\)$/, /--cap-add=BPF,PERFMON/],
      ["capture", /: Operation not permitted/, /^a seccomp filter refuses bpf\(2\): /],
    ],
    /^tcpspan: cannot .*: Operation not permitted\n(.*\n)* {2}-> a seccomp filter refuses .*\n$/,
  ],
  [
    "no object file",
    inMounts(`mount -t tmpfs tmpfs '${REPOSITORY}/bpf'`),
    [["kernel program", /bpf\/tcpspan\.bpf\.o: No such file/, /deno task generate/]],
    /^tcpspan: cannot trace here: kernel program: .*: No such file or directory\n {2}-> take .*\n$/,
  ],
  [
    "35 open files",
    ["prlimit", "--nofile=35"],
    [["open files", /^at most 35, of which \d+ are left: tracing takes 40$/, /ulimit -n 1024/]],
    /^tcpspan: cannot trace here: open files: at most 35, .*\n {2}-> raise the limit: ulimit -n 1024 .*\n$/,
  ],
  [
    "Linux 5.15 without JIT compiler",
    withJit("0", "5.15.0-91-generic"),
    [["BPF JIT compiler", /^off, and the BPF interpreter .* gives wrong rows$/, /5\.19 or later/]],
    /^tcpspan: cannot trace here: BPF JIT compiler: off, .*\n {2}-> .*bpf_jit_enable=1; or use Linux 5\.19 or later\n$/,
  ],
  [
    "lockdown for confidentiality",
    inMounts(`
      mount -t tmpfs tmpfs /sys/kernel/security
      echo 'none integrity [confidentiality]' >/sys/kernel/security/lockdown
    `),
    [["kernel lockdown", /^confidentiality: /, /lockdown=integrity/]],
    /^tcpspan: cannot trace here: kernel lockdown: confidentiality: .*\n {2}-> start the kernel with .*\n$/,
  ],
];

const examineBroken = together(BROKEN, ([, inside]) => examine({ inside }));
const runBroken = together(BROKEN, ([, inside]) => runTcpspan([], { inside }));

for (const broken of BROKEN) {
  const [name, , expected, run] = broken;
  Deno.test(`doctor: ${name}: no run works, and doctor says what to do`, async () => {
    const report = await examineBroken(broken);
    const wrong = report.items.filter(({ result }) => result === "no").map(({ name }) => name);
    assert.deepEqual(wrong, expected.map(([item]) => item));
    for (const [item, found, advice] of expected) {
      assert.match(itemOf(report, item).found, found);
      assert.match(itemOf(report, item).advice ?? "", advice);
    }
    assert.equal(report.session, null);
  });

  Deno.test(`${name}: a run says so, line by line, and nothing about ulimit -l, status 1`, async () => {
    const { status, stdout, stderr } = await runBroken(broken);
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, run);
    assert.doesNotMatch(stderr, /\\x|ulimit -l|MEMLOCK/);
  });
}

Deno.test("doctor --config asks each endpoint: one that takes spans, one that is dead, one that refuses them", async () => {
  await using receiver = startReceiver(freePort());
  await using web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("<html>hello</html>", { headers: { "content-type": "text/html" } }),
  );
  const dead = freePort();
  const config = `
exporters:
  otlp/live: { endpoint: "http://127.0.0.1:${receiver.port}" }
  otlp/json: { endpoint: "http://127.0.0.1:${receiver.port}", protocol: http/json }
  otlp/dead: { endpoint: "http://127.0.0.1:${dead}" }
  otlp/grpc: { endpoint: "http://127.0.0.1:${dead}", protocol: grpc }
  otlp/path: { traces_endpoint: "http://127.0.0.1:${receiver.port}/wrong" }
  otlp/web: { endpoint: "http://127.0.0.1:${web.addr.port}" }
  otlp/web2: { endpoint: "http://127.0.0.1:${web.addr.port}", protocol: grpc }
`;
  const report = await examine({ config });
  assert.deepEqual(blemishes(report), [
    "no: exporter otlp/dead",
    "no: exporter otlp/grpc",
    "no: exporter otlp/path",
    "no: exporter otlp/web",
    "no: exporter otlp/web2",
  ]);
  assert.equal(
    itemOf(report, "exporter otlp/live").found,
    `ready: http://127.0.0.1:${receiver.port}/v1/traces`,
  );
  const refused = itemOf(report, "exporter otlp/dead");
  assert.match(refused.found, new RegExp(`127\\.0\\.0\\.1:${dead}/v1/traces: connection refused$`));
  assert.match(refused.advice ?? "", /exporters\.otlp\/dead names/);
  assert.match(itemOf(report, "exporter otlp/grpc").found, /connection refused$/);
  assert.match(itemOf(report, "exporter otlp/path").found, /HTTP 404/);
  for (const id of ["web", "web2"]) {
    assert.match(
      itemOf(report, `exporter otlp/${id}`).found,
      /text\/html, not .* is the port right\?/,
    );
  }
  assert.notEqual(report.session, null);
  assert.equal(receiver.requests, 3);
  assert.deepEqual(receiver.spans, []);
});

Deno.test("doctor --config asks a real Jaeger over each protocol, and leaves no span there", async () => {
  await using jaeger = await startJaeger();
  const config = `
exporters:
  otlp/protobuf: { endpoint: "${jaeger.otlpHttp}", compression: gzip }
  otlp/json: { endpoint: "${jaeger.otlpHttp}", protocol: http/json }
  otlp/grpc: { endpoint: "${jaeger.otlpGrpc}", protocol: grpc }
`;
  const report = await examine({ config });
  assert.deepEqual(blemishes(report), []);
  for (const id of ["protobuf", "json", "grpc"]) {
    assert.match(itemOf(report, `exporter otlp/${id}`).found, /^ready: http:\/\//);
  }
  const { data }: { data: unknown } = await (await fetch(`${jaeger.query}/api/services`)).json();
  assert.deepEqual(data ?? [], []);
});

Deno.test("doctor --config opens files, folders and modules, and leaves nothing there", async () => {
  await using folder = await makeTempFolder();
  const kept = join(folder.path, "kept.jsonl");
  await Deno.writeTextFile(kept, "{}\n");
  await Deno.writeTextFile(join(folder.path, "module.ts"), MODULE);
  const config = `
exporters:
  file/new: { path: ${folder.path}/new.jsonl, sending_queue: { storage: ${folder.path}/queue } }
  file/kept: { path: ${kept}, append: false }
  file/homeless:
    path: ${folder.path}/homeless.jsonl
    sending_queue: { storage: ${folder.path}/nowhere/queue }
  file/nowhere: { path: ${folder.path}/nowhere/spans.jsonl }
  good: { module: ${folder.path}/module.ts, export: Good }
  bad: { module: ${folder.path}/nowhere.ts, export: Bad }
  stdout: {}
`;
  const report = await examine({ config });
  assert.deepEqual(blemishes(report), [
    "no: exporter file/nowhere",
    "no: exporter bad",
    "no: queue of file/homeless",
  ]);
  assert.match(itemOf(report, "queue of file/homeless").found, /there is no folder .*: create it/);
  assert.match(itemOf(report, "exporter file/nowhere").found, /there is no folder/);
  assert.equal(
    itemOf(report, "exporter good").found,
    "loaded; its endpoint was not asked",
  );
  assert.match(itemOf(report, "exporter bad").found, /cannot load .*nowhere\.ts/);
  assert.match(itemOf(report, "queue of file/new").found, /can keep sessions in/);
  const left = Array.from(Deno.readDirSync(folder.path), ({ name }) => name).sort();
  assert.deepEqual(left, ["kept.jsonl", "module.ts"]);
  assert.equal(await Deno.readTextFile(kept), "{}\n");
});

const MODULE = `
export class Good {
  export(_spans: unknown, done: (result: { code: number }) => void) { done({ code: 0 }); }
  shutdown() { return Promise.resolve(); }
}
export class Endless extends Good {
  shutdown() { return new Promise(() => {}); }
}
`;

const DROPPING = `
  set -e
  ip link set lo up
  nft 'add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }'
  exec "$@"
`;

Deno.test("doctor waits 10 s for a module, and for its own session if a firewall drops packets on loopback", async () => {
  await using folder = await makeTempFolder();
  await Deno.writeTextFile(join(folder.path, "module.ts"), MODULE);
  const config = `exporters: { endless: { module: ${folder.path}/module.ts, export: Endless } }\n`;
  const [module, loopback] = await Promise.all([
    examine({ config }),
    examine({ inside: ["unshare", "--net", "sh", "-c", DROPPING, "sh"] }),
  ]);
  assert.deepEqual(blemishes(module), ["no: exporter endless"]);
  assert.equal(itemOf(module, "exporter endless").found, "no answer within 10 s");
  assert.deepEqual(blemishes(loopback), ["without: a session of its own"]);
  const { found, advice } = itemOf(loopback, "a session of its own");
  assert.match(found, /on loopback: no answer within 10 s$/);
  assert.match(advice ?? "", /lo up\n.*nft list ruleset$/);
});

Deno.test("doctor --config: packages that were not downloaded: what needs them says so, all else is examined", async () => {
  const config = `
telemetry: { prometheus: { listen: "127.0.0.1:${freePort()}" } }
exporters: { otlp: { endpoint: "http://127.0.0.1:${freePort()}", protocol: http/json } }
`;
  const inside: Inside = [...inMounts(""), "env", "DENO_DIR=/mnt"];
  const report = await examine({ inside, config, permissions: ["-A", "--cached-only"] });
  assert.deepEqual(blemishes(report), ["no: exporter otlp", "no: telemetry"]);
  for (const name of ["exporter otlp", "telemetry"]) {
    assert.match(itemOf(report, name).found, /^cannot load npm:.*deno install --frozen/);
  }
  assert.notEqual(report.session, null);
});

Deno.test("doctor --config says what it tried of telemetry", async () => {
  await using receiver = startReceiver(freePort());
  const port = freePort();
  const config = `
telemetry: { otlp: {}, prometheus: { listen: "127.0.0.1:${port}" } }
exporters: { otlp: { endpoint: "http://127.0.0.1:${receiver.port}" } }
`;
  assert.equal(
    itemOf(await examine({ config }), "telemetry").found,
    `the page can listen on port ${port} of 127.0.0.1; the receiver of otlp was not asked whether it takes metrics`,
  );
});

Deno.test("doctor --config reports a pin that cannot be made, and cgroups that cannot be excluded", async () => {
  const config = `
capture: { pin: /tcpspan, exclude_cgroups: [/system.slice] }
exporters: { stdout: {} }
`;
  const report = await examine({ inside: NO_CGROUP2, config });
  assert.match(
    itemOf(report, "BPF file system").found,
    /it is not in a BPF file system: .*mount -t/,
  );
  assert.deepEqual(blemishes(report), [
    "without: cgroup v2",
    "no: BPF file system",
    "without: capture.exclude_cgroups",
  ]);
  assert.equal(report.usable, false);
});

Deno.test("doctor --config checks that a pin can be made, and changes nothing that is pinned", async () => {
  await using bpffs = await BpfFileSystem.mount();
  const [pin, open] = [join(bpffs.path, "tcpspan"), join(bpffs.path, "open")];
  const config = (path: string) => `capture: { pin: ${path} }\nexporters: { stdout: {} }\n`;
  const before = BpfFileSystem.list(bpffs.path); // the kernel's own
  const report = await examine({ config: config(pin) });
  assert.deepEqual(blemishes(report), []);
  assert.equal(itemOf(report, "BPF file system").found, `can pin to ${pin}`);
  assert.deepEqual(BpfFileSystem.list(bpffs.path), before);
  Deno.mkdirSync(open);
  Deno.chmodSync(open, 0o777);
  const unsafe = await examine({ config: config(open) });
  assert.match(
    itemOf(unsafe, "BPF file system").found,
    /not a folder that only this user can write/,
  );
  assert.equal(unsafe.usable, false);
});

Deno.test("doctor --config: a folder for the pin that root made for another user, who cannot make one", async () => {
  await using bpffs = await BpfFileSystem.mount();
  const pin = join(bpffs.path, "tcpspan");
  await Deno.mkdir(pin, { mode: 0o700 });
  await Deno.chown(pin, 65534, 65534);
  await Deno.chmod(bpffs.path, 0o755);
  const config = `capture: { pin: ${pin} }\nexporters: { stdout: }\n`;
  const report = await examine({ inside: await asNobody(["bpf", "perfmon"]), config });
  assert.equal(itemOf(report, "BPF file system").found, `can pin to ${pin}`);
  assert.equal(report.usable, true);
  assert.deepEqual(BpfFileSystem.list(pin), []);
});

Deno.test("doctor --config: a seccomp filter that refuses pins: a run works without one", async () => {
  await using bpffs = await BpfFileSystem.mount();
  const before = BpfFileSystem.list(bpffs.path);
  await using folder = await makeTempFolder();
  const config = join(folder.path, "tcpspan.yaml");
  const capture = `capture: { pin: ${bpffs.path}/tcpspan }\n`;
  await Deno.writeTextFile(config, `${capture}exporters: { stdout: }\n`);
  const program = ["run", "-A", "test/programs/without_bpf_calls.ts", `${OBJ_PIN}`];
  await using process = new Process(
    [Deno.execPath(), ...program, "doctor", "--config", config],
    { env: environment(), cwd: REPOSITORY },
  );
  const { status, stdout } = await process.end();
  assert.match(
    stdout,
    /^without {2}BPF file system .*: Operation not permitted\n +-> sessions that end while /m,
  );
  assert.equal(status, 0);
  assert.deepEqual(BpfFileSystem.list(bpffs.path), before);
});

const OBJ_PIN = 6; // include/uapi/linux/bpf.h, enum bpf_cmd

Deno.test("doctor --config: a pin that another tcpspan uses, and a port for the Prometheus page that is in use", async () => {
  await using system = await BpfFileSystem.mount();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = (listen: string) => `
capture: { pin: ${system.path}/tcpspan }
telemetry: { prometheus: { listen: "${listen}" } }
exporters: { stdout: }
`;
  const { port } = taken.addr;
  const free = await examine({ config: config(`127.0.0.1:${freePort()}`) });
  assert.deepEqual(blemishes(free), []);
  await using _running = await startTcpspan([], { config: config(`127.0.0.1:${freePort()}`) });
  const shown = await runTcpspan(["doctor"], { config: config(`127.0.0.1:${port}`) });
  assert.match(
    shown.stdout,
    /\n\ntcpspan can trace here, but not everything works: see the lines marked no\n$/,
  );
  const report = await examine({ config: config(`127.0.0.1:${port}`) });
  assert.deepEqual(blemishes(report), ["no: BPF file system", "no: telemetry"]);
  assert.match(
    itemOf(report, "BPF file system").found,
    /another tcpspan uses it: stop that one first$/,
  );
  assert.match(itemOf(report, "telemetry").found, new RegExp(`${port}`));
});

Deno.test("with --log-format json a refusal of several lines is one object", async () => {
  const { status, stderr } = await runTcpspan(["--log-format=json"], {
    inside: ["unshare", "--user", "--map-root-user"],
  });
  assert.equal(status, 1);
  const { level, message } = JSON.parse(stderr);
  assert.equal(level, "error");
  assert.match(message, /^cannot [^\n]*: Operation not permitted\n(.*\n)* {2}-> [^\n]*$/);
});

Deno.test("doctor --config with a wrong config says what is wrong in it, status 2", async () => {
  const { status, stdout, stderr } = await runTcpspan(["doctor"], { config: "exporters: {}\n" });
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^tcpspan: FILE:1:\d+: exporters: /);
});

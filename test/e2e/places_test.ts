/** Places that lack something: a clear message, or a run that works without it. */
import assert from "node:assert/strict";
import { together } from "../together.ts";
import { curl, startNginx } from "./nginx.ts";
import {
  asNobody,
  inMounts,
  type Inside,
  onRelease,
  WITH_LIBBPF_0,
  WITHOUT_BTF,
  WITHOUT_CAPABILITIES,
  WITHOUT_LIBBPF,
  WITHOUT_PROC,
  WITHOUT_TRACEFS,
  withoutTracepoint,
} from "./places.ts";
import { runTcpspan, startTcpspan } from "./tcpspan.ts";

interface Place {
  readonly name: string;
  readonly inside: Inside;
  /** What is missing, in `doctor`'s words. */
  readonly missing: string;
  /** What follows `tcpspan: cannot trace here: `. */
  readonly message: RegExp;
}

const PLACES: readonly Place[] = [
  {
    name: "not root",
    inside: await asNobody(),
    missing: "privileges",
    message:
      /^privileges: user id 65534 may not load tracing programs: it lacks CAP_BPF and CAP_PERFMON\n {2}-> run tcpspan as root: sudo deno run -A mod\.ts, or give it CAP_BPF and CAP_PERFMON: see docs\/security\.md$/,
  },
  {
    name: "root without capabilities",
    inside: WITHOUT_CAPABILITIES,
    missing: "privileges",
    message:
      /^privileges: user id 0 may not load tracing programs: it lacks CAP_BPF .+\n {2}-> .*--cap-add=BPF,PERFMON$/,
  },
  {
    name: "a kernel without BTF",
    inside: WITHOUT_BTF,
    missing: "kernel type information (BTF)",
    message:
      /^kernel type information \(BTF\): no \/sys\/kernel\/btf\/vmlinux\n {2}-> use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of current distributions are$/,
  },
  {
    name: "Linux 5.10",
    inside: onRelease("5.10.0-30-amd64"),
    missing: "kernel",
    message:
      /^kernel: Linux 5\.10\.0-30-amd64 is too old\n {2}-> tcpspan needs Linux 5\.11 or later: earlier kernels cannot keep state per socket in a tracing program$/,
  },
  {
    name: "Linux 4.19",
    inside: onRelease("4.19.0"),
    missing: "kernel",
    message: /^kernel: Linux 4\.19\.0 is too old\n {2}-> tcpspan needs Linux 5\.11 or later: .+$/,
  },
  {
    name: "a kernel without a tracepoint that is needed",
    inside: withoutTracepoint("inet_sock_set_state"),
    missing: "tracepoint inet_sock_set_state",
    message: /^tracepoint inet_sock_set_state: not in this kernel\n {2}-> use a newer kernel$/,
  },
  {
    name: "no libbpf",
    inside: WITHOUT_LIBBPF,
    missing: "libbpf",
    message: /^libbpf: .*libbpf\.so\.1.*; install the package libbpf1, or run \.\/setup\.sh$/,
  },
  {
    name: "libbpf 0.x",
    inside: WITH_LIBBPF_0,
    missing: "libbpf",
    message:
      /^libbpf: .*found version 0\.x \(libbpf\.so\.0\), tcpspan needs 1\.0 or later; install the package libbpf1, or run \.\/setup\.sh$/,
  },
];

const runIn = together(PLACES, ({ inside }) => runTcpspan([], { inside }));
const doctorIn = together(PLACES, ({ inside }) => runTcpspan(["doctor"], { inside }));

for (const place of PLACES) {
  const { name, missing, message } = place;
  Deno.test(`${name}: says what is missing and what to do, status 1`, async () => {
    const { status, stdout, stderr } = await runIn(place);
    assert.equal(status, 1);
    assert.equal(stdout, "");
    const [, said = stderr] = /^tcpspan: cannot trace here: ([^]*)\n$/.exec(stderr) ?? [];
    assert.match(said, message);
  });

  Deno.test(`${name}: doctor reports it among the rest, status 1`, async () => {
    const { status, stdout, stderr } = await doctorIn(place);
    assert.equal(status, 1);
    assert.equal(stderr, "");
    const lines = stdout.split("\n");
    const wrong = lines.filter((line) => line.startsWith("no "));
    assert.equal(wrong.length, 1, stdout);
    assert.ok(wrong[0]?.startsWith(`no       ${missing} `), wrong[0] ?? "nothing is missing");
    assert.deepEqual(lines.slice(-2), ["tcpspan cannot trace here", ""]);
  });
}

/** Places in which tracing works, and what is reported as lost. */
const ENOUGH: readonly {
  readonly name: string;
  readonly inside: Inside;
  readonly told?: RegExp;
}[] = [
  { name: "neither tracefs nor debugfs nor bpffs", inside: WITHOUT_TRACEFS },
  {
    name: "no tracepoint sock_send_length",
    inside: withoutTracepoint("sock_send_length"),
    told: /^tcpspan: without the tracepoint sock_send_length .*\ntcpspan: tracing\n$/,
  },
  {
    name: "no tracepoint tcp_destroy_sock",
    inside: withoutTracepoint("tcp_destroy_sock"),
    told: /^tcpspan: without the tracepoint tcp_destroy_sock: .*\ntcpspan: tracing\n$/,
  },
  { name: "a release that says 5.11", inside: onRelease("5.11.0") },
  {
    name: "no /proc",
    inside: WITHOUT_PROC,
    told: /^tcpspan: without \/proc: sessions have no process id, .*\ntcpspan: tracing\n$/,
  },
  { name: "/proc with subset=pid", inside: inMounts("mount -t proc -o subset=pid proc /proc") },
];

for (const { name, inside, told = /^tcpspan: tracing\n$/ } of ENOUGH) {
  Deno.test(`${name}: tracing works`, async () => {
    await using nginx = await startNginx();
    await using tool = await startTcpspan(["-L", `${nginx.port}`], { inside });
    await curl([nginx.url("/")]);
    await tool.stdout.waitForLines(1, (line) => line.includes(` ${nginx.port} `));
    const { status, stderr } = await tool.stop("SIGINT");
    assert.equal(status, 0);
    assert.match(stderr, told);
  });
}

Deno.test("a time namespace: spans have the wall clock's times and their processes' paths", async () => {
  await using nginx = await startNginx();
  const began = Date.now();
  await using tool = await startTcpspan(["-L", `${nginx.port}`], {
    inside: ["unshare", "--time", "--boottime=100000", "--fork", "--kill-child"],
    config: "exporters: { stdout: { format: json } }",
  });
  await curl([nginx.url("/")]);
  const [line] = await tool.stdout.waitForLines(1, (text) => text.startsWith("{"));
  const span: Record<string, unknown> = JSON.parse(line?.text ?? "");
  const start = Date.parse(String(span["start"]));
  assert.ok(began <= start && start <= Date.now(), String(span["start"]));
  assert.match(String(span["process.executable.path"]), /\/nginx$/);
});

Deno.test("doctor: what is missing but not needed is `without`, status 0", async () => {
  const { status, stdout } = await runTcpspan(["doctor"], {
    inside: withoutTracepoint("sock_send_length"),
  });
  assert.equal(status, 0);
  assert.match(stdout, /^without {2}tracepoint sock_send_length +.*does not have it\n +-> .+$/m);
  assert.match(stdout, /\ntcpspan can trace here\n$/);
});

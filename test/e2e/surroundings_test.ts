/** Hosts that lack what every Linux has, and limits: tcpspan says what is wrong, and does not crash. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeTempFolder } from "../temp_folder.ts";
import { inMounts, type Inside } from "./places.ts";
import { runTcpspan } from "./tcpspan.ts";
import { startTraffic } from "./traffic.ts";

const NO_PROC = inMounts("umount --lazy /proc");
const PROC =
  "tcpspan: cannot run here: there is no /proc/self/exe, which Deno needs for flags, and " +
  "for all but a table or CSV\n  -> mount /proc: mount -t proc proc /proc\n";
const SYS =
  "tcpspan: cannot trace here: kernel type information (BTF): no /sys/kernel/btf/vmlinux: " +
  "/sys is not mounted\n  -> mount -t sysfs sysfs /sys; a container: --volume /sys:/sys:ro\n";

const REFUSED: readonly [
  name: string,
  inside: Inside,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stderr: string,
][] = [
  ["no /proc, with flags", NO_PROC, ["--duration", "1"], {}, PROC],
  ["no /proc, a command", NO_PROC, ["config", "example"], {}, PROC],
  ["no /proc, an exporter", NO_PROC, [], { OTEL_TRACES_EXPORTER: "otlp" }, PROC],
  ["no /sys", inMounts("umount --lazy --recursive /sys"), ["--duration", "1"], {}, SYS],
  ["an empty /sys", inMounts("mount -t tmpfs tmpfs /sys"), ["--duration", "1"], {}, SYS],
  [
    "a full disk below stdout",
    ["sh", "-c", 'exec "$@" >/dev/full', "sh"],
    ["config", "example"],
    {},
    "tcpspan: cannot write to stdout: No space left on device\n",
  ],
];

for (const [name, inside, args, env, stderr] of REFUSED) {
  Deno.test(`${name}: a clear refusal, status 1`, async () => {
    assert.deepEqual(await runTcpspan(args, { inside, env }), { status: 1, stdout: "", stderr });
  });
}

/** Each leaves a table as it is. */
const HARMLESS: Readonly<Record<string, Inside>> = {
  "stdin closed": ["sh", "-c", 'exec "$@" <&-', "sh"],
  "stderr closed": ["sh", "-c", 'exec "$@" 2>&-', "sh"],
  "no home": ["env", "-u", "HOME"],
  "LANG=C": ["env", "LANG=C", "LC_ALL=C"],
  "no memory that may be locked": ["prlimit", "--memlock=0"],
  "a terminal of five columns": ["env", "TERM=dumb", "COLUMNS=5"],
  "a read-only /tmp": inMounts("mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp"),
  "no /dev": inMounts("mount -t tmpfs tmpfs /dev"),
};

for (const [name, inside] of Object.entries(HARMLESS)) {
  Deno.test(`${name}: a table is printed`, async () => {
    const { status, stdout } = await runTcpspan(["--duration", "0.1"], { inside });
    assert.equal(status, 0);
    assert.match(stdout, /^PID +COMM +LADDR /);
  });
}

Deno.test("a file at the limit of ulimit -f is a failed write, and does not end the run", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const size = 64 * 2 ** 20; // more than Deno's own files
  await Deno.writeFile(path, new Uint8Array());
  await Deno.truncate(path, size);
  await using traffic = startTraffic();
  const run = runTcpspan(["--duration", "1", "-D", `${traffic.port}`], {
    config: `exporters: { file: { path: ${path} } }\n`,
    inside: ["prlimit", `--fsize=${size}`],
  });
  const { status, stderr } = await traffic.during(run);
  assert.equal(status, 0);
  assert.match(stderr, /^tcpspan: file: cannot write .*: File too large; trying again/m);
});

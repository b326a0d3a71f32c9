/** What a host refuses and tracing can do without: a line says what is lost, and rows continue. */
import assert from "node:assert/strict";
import { Actor } from "../kernel/actor.ts";
import { BpfFileSystem } from "../kernel/bpf_file_system.ts";
import { functionOffset } from "../kernel/elf.ts";
import { Namespace, run } from "../kernel/host.ts";
import { together } from "../together.ts";
import { curl, startNginx } from "./nginx.ts";
import { inMounts, type Inside } from "./places.ts";
import { Process } from "./process.ts";
import { environment, REPOSITORY, startTcpspan, TRACING } from "./tcpspan.ts";

const OBJECT = `${REPOSITORY}bpf/tcpspan.bpf.o`;
const NO_INSTRUCTION = 0xff; // no kernel has an opcode of this number

const PARTS: Readonly<Record<string, RegExp>> = {
  destroy_sock: /^tcpspan: without the tracepoint tcp_destroy_sock: a session is lost if /,
  receive: /^tcpspan: without the tracepoint tcp_rcv_space_adjust: an accepted session belongs to /,
  send: /^tcpspan: without the tracepoint sock_send_length \(Linux 6\.3\): an accepted session /,
  receive_mptcp:
    /^tcpspan: without the tracepoint sock_recv_length \(Linux 6\.3\): an accepted session of MPTCP /,
  seed_owner: /^tcpspan: without the iterator seed_owner .*: sessions that were open before the /,
  seed_role: /^tcpspan: without the iterator seed_role .*: sessions that were open before the /,
  report_files: /^tcpspan: without the iterator report_files .* are not reported while they are /,
  report_sockets:
    /^tcpspan: without the iterator report_sockets .* are not reported while they are open/,
  count_files: /^tcpspan: without the iterator count_files .* are not counted at the end/,
  count_sockets: /^tcpspan: without the iterator count_sockets .* are not counted at the end/,
};

/** A kernel that refuses some of the programs, because they are damaged. */
async function refusing(programs: readonly string[]): Promise<Inside & AsyncDisposable> {
  const elf = await Deno.readFile(OBJECT);
  for (const program of programs) elf[functionOffset(elf, program)] = NO_INSTRUCTION;
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, elf);
  const inside = inMounts(`cp '${path}' /mnt/object; mount --bind /mnt/object '${OBJECT}'`);
  return Object.assign(inside, { [Symbol.asyncDispose]: () => Deno.remove(path) });
}

/** Options of a run. */
interface TraceOptions {
  /** For the config's `capture`. */
  readonly capture?: string;
  /** For the config. */
  readonly more?: string;
  /** Refused commands of bpf(2). */
  readonly refused?: readonly number[];
}

/** Traces one session. @returns what stderr says */
async function trace(
  inside: readonly string[],
  { capture = "interim: 60s, report_open_on_exit: true", more = "", refused = [] }: TraceOptions =
    {},
) {
  await using nginx = await startNginx();
  const config = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(
    config,
    `capture: { ${capture} }\n${more}\nexporters: { stdout: { format: csv } }\n`,
  );
  const program = refused.length === 0
    ? ["mod.ts"]
    : ["test/programs/without_bpf_calls.ts", refused.join()];
  const args = ["run", "-A", "--frozen", ...program, "-D", `${nginx.port}`, "--config", config];
  const [command = "", ...rest] = [...inside, Deno.execPath(), ...args];
  await using process = new Process([command, ...rest], { env: environment(), cwd: REPOSITORY });
  await process.stderr.waitForLines(1, (line) => line === TRACING);
  await curl([nginx.url("/")]);
  const [row] = await process.stdout.waitForLines(1, (line) => /^\d/.test(line));
  assert.match(row?.text ?? "", /^\d+,curl,4,127\.0\.0\.1,/);
  const { status, stderr } = await process.stop("SIGINT");
  await Deno.remove(config);
  assert.equal(status, 0, stderr);
  const lines = stderr.trimEnd().split("\n");
  return { warnings: lines.filter((line) => line.startsWith("tcpspan: without ")), lines };
}

const traceWithout = together(Object.keys(PARTS), async (program) => {
  await using inside = await refusing([program]);
  return await trace(inside);
});

for (const [program, expected] of Object.entries(PARTS)) {
  Deno.test(`a kernel that refuses ${program}: a line says what is lost, and rows continue`, async () => {
    const { warnings } = await traceWithout(program);
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", expected);
    assert.match(warnings[0] ?? "", / \(Invalid argument\)$/);
  });
}

Deno.test("a kernel that refuses everything optional: a line for each, and rows continue", async () => {
  await using inside = await refusing(Object.keys(PARTS));
  const { warnings, lines } = await trace(inside);
  assert.equal(warnings.length, Object.keys(PARTS).length, warnings.join("\n"));
  assert.ok(
    !lines.some((line) => /^tcpspan: lost /.test(line)),
    "nothing is said to be lost untruly",
  );
});

Deno.test("a kernel that refuses set_state, which tracing needs: no run, status 1", async () => {
  await using inside = await refusing(["set_state"]);
  const [program, ...args] = [...inside, Deno.execPath(), "run", "-A", "--frozen", "mod.ts"];
  assert.ok(program !== undefined);
  await using process = new Process([program, ...args], { env: environment(), cwd: REPOSITORY });
  const { status, stdout, stderr } = await process.end();
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^tcpspan: cannot load the BPF program: Invalid argument/);
});

const ITER_CREATE = 33; // include/uapi/linux/bpf.h, enum bpf_cmd

Deno.test("a seccomp filter that refuses walks: a line for each walk, and rows continue", async () => {
  const { warnings } = await trace([], { refused: [ITER_CREATE] });
  assert.equal(warnings.length, 6, warnings.join("\n"));
  for (const warning of warnings) {
    assert.match(warning, /^tcpspan: without the iterator .*Operation not permitted\)$/);
  }
});

const OBJ_PIN = 6; // include/uapi/linux/bpf.h, enum bpf_cmd

Deno.test("a seccomp filter that refuses pins: the run continues, and says that nothing is kept", async () => {
  await using system = await BpfFileSystem.mount();
  const folder = `${system.path}/tcpspan`;
  const { warnings, lines } = await trace([], { capture: `pin: ${folder}`, refused: [OBJ_PIN] });
  assert.deepEqual(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0] ?? "", /^tcpspan: without capture\.pin: sessions that end while /);
  assert.ok(!lines.some((line) => line.includes("are still recorded")), lines.join("\n"));
  assert.deepEqual(BpfFileSystem.list(folder), [], "nothing stays");
});

Deno.test("no cgroups v2: sessions of the cgroups to exclude are reported, and a line says so", async () => {
  const { warnings } = await trace(
    inMounts(`
      awk '$3 == "cgroup2" { print $2 }' /proc/mounts | while read -r folder; do
        umount --lazy "$folder"
      done
    `),
    { capture: 'exclude_cgroups: ["/some.slice"]' },
  );
  assert.deepEqual(warnings, [
    "tcpspan: without capture.exclude_cgroups: sessions of these cgroups are reported like others " +
    "(no hierarchy of cgroups v2 is mounted)",
  ]);
});

Deno.test("no libseccomp: drop_privileges drops nothing, and a line says so", async () => {
  const { warnings } = await trace(
    inMounts(`
      ldconfig -p | sed -n 's/.*libseccomp\\.so\\.2 .* => //p' | while read -r library; do
        mount --bind /dev/null "$library"
      done
    `),
    { more: "drop_privileges: true" },
  );
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(
    warnings[0] ?? "",
    /^tcpspan: without drop_privileges: this process keeps all its privileges: /,
  );
});

Deno.test("no CAP_SYS_ADMIN: other network namespaces are not entered, and a line says so", async () => {
  await using namespace = await Namespace.alone();
  await using _inside = await Actor.start({ under: namespace.under });
  const { warnings } = await trace(["setpriv", "--bounding-set=-sys_admin", "--no-new-privs"]);
  assert.deepEqual(warnings, [
    "tcpspan: without entering other network namespaces (CAP_SYS_ADMIN and CAP_SYS_PTRACE): " +
    "sessions in other network namespaces that were open before the start have no role until " +
    "their end, and those that no process holds are not reported or counted at the end " +
    "(Operation not permitted)",
  ]);
});

Deno.test("a shortage of descriptors is no refusal: a reload takes over all of the config, or nothing", async () => {
  const config = (interim: number) =>
    `capture: { interim: ${interim}s }\nexporters: { stdout: { format: csv } }\n`;
  await using tool = await startTcpspan([], { config: config(60) });
  let [done, refused] = [0, 0];
  for (let spare = 4; spare <= 60; spare += 2) {
    const open = [...Deno.readDirSync(`/proc/${tool.pid}/fd`)].length;
    await run("prlimit", "--pid", `${tool.pid}`, `--nofile=${open + spare}:`);
    await Deno.writeTextFile(tool.config, config(60 + spare));
    const answers = done + refused + 1;
    Deno.kill(tool.pid, "SIGHUP");
    const lines = await tool.stderr.waitForLines(answers, (line) => / reload(ed .*)?: /.test(line));
    if (/ reloaded /.test(lines.at(-1)?.text ?? "")) done++;
    else refused++;
  }
  const { stderr } = await tool.stop("SIGINT");
  assert.ok(done > 0 && refused > 0, stderr);
  assert.doesNotMatch(stderr, /without/);
});

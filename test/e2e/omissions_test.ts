/** What a host refuses and tracing can do without: a line says what is lost, and rows go on. */
import assert from "node:assert/strict";
import { functionOffset } from "../kernel/elf.ts";
import { curl, startNginx } from "./nginx.ts";
import { inMounts, type Inside } from "./places.ts";
import { Process } from "./process.ts";
import { environment, REPOSITORY, startTcpspan, TRACING } from "./tcpspan.ts";

const OBJECT = `${REPOSITORY}bpf/tcpspan.bpf.o`;
const NO_INSTRUCTION = 0xff; // no kernel has an opcode of this number

const PARTS: Readonly<Record<string, RegExp>> = {
  destroy_sock: /^tcpspan: without the tracepoint tcp_destroy_sock: a session is lost where /,
  receive: /^tcpspan: without the tracepoint tcp_rcv_space_adjust: an accepted session belongs to /,
  send: /^tcpspan: without the tracepoint sock_send_length \(Linux 6\.3\): an accepted session /,
  seed_owner: /^tcpspan: without the iterator seed_owner .*: sessions that were open before the /,
  seed_role: /^tcpspan: without the iterator seed_role .*: sessions that were open before the /,
  report_files: /^tcpspan: without the iterator report_files .* are not reported while they are /,
  report_sockets:
    /^tcpspan: without the iterator report_sockets .* are not reported while they are open/,
  count_files: /^tcpspan: without the iterator count_files .* are not counted at the end/,
  count_sockets: /^tcpspan: without the iterator count_sockets .* are not counted at the end/,
};

/** A kernel that refuses some of the programs, since they are damaged. */
async function refusing(programs: readonly string[]): Promise<Inside & AsyncDisposable> {
  const elf = await Deno.readFile(OBJECT);
  for (const program of programs) elf[functionOffset(elf, program)] = NO_INSTRUCTION;
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, elf);
  const inside = inMounts(`cp '${path}' /mnt/object; mount --bind /mnt/object '${OBJECT}'`);
  return Object.assign(inside, { [Symbol.asyncDispose]: () => Deno.remove(path) });
}

/** Rows of a session and the warnings, of a run that also reports what is open. */
async function trace(inside: Inside) {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    inside,
    config: `
capture: { interim: 60s, report_open_on_exit: true }
exporters: { stdout: { format: csv } }
`,
  });
  await curl([nginx.url("/")]);
  const [row] = await tool.stdout.waitForLines(1, (line) => /^\d/.test(line));
  const { status, stderr } = await tool.stop("SIGINT");
  assert.equal(status, 0, stderr);
  assert.match(row?.text ?? "", /^\d+,curl,4,127\.0\.0\.1,/);
  const lines = stderr.trimEnd().split("\n");
  return { warnings: lines.filter((line) => line.startsWith("tcpspan: without ")), lines };
}

for (const [program, expected] of Object.entries(PARTS)) {
  Deno.test(`a kernel that refuses ${program}: a line says what is lost, and rows go on`, async () => {
    await using inside = await refusing([program]);
    const { warnings } = await trace(inside);
    assert.equal(warnings.length, 1, warnings.join("\n"));
    assert.match(warnings[0] ?? "", expected);
    assert.match(warnings[0] ?? "", / \(Invalid argument\)$/);
  });
}

Deno.test("a kernel that refuses all that can be done without: a line for each, and rows go on", async () => {
  await using inside = await refusing(Object.keys(PARTS));
  const { warnings, lines } = await trace(inside);
  assert.equal(warnings.length, Object.keys(PARTS).length, warnings.join("\n"));
  assert.ok(
    !lines.some((line) => /^tcpspan: lost /.test(line)),
    "nothing is said to be lost untruly",
  );
});

Deno.test("a kernel that refuses set_state, which tracing needs: the end, status 1", async () => {
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

Deno.test("a seccomp filter that refuses to walk: a line for each walk, and rows go on", async () => {
  await using nginx = await startNginx();
  const args = ["run", "-A", "--frozen", "test/programs/without_bpf_calls.ts", `${ITER_CREATE}`];
  await using process = new Process(
    [Deno.execPath(), ...args, "-s", "-D", `${nginx.port}`],
    { env: environment(), cwd: REPOSITORY },
  );
  await process.stderr.waitForLines(1, (line) => line === TRACING);
  await curl([nginx.url("/")]);
  const [row] = await process.stdout.waitForLines(1, (line) => /^\d/.test(line));
  assert.match(row?.text ?? "", /^\d+,curl,/);
  const { status, stderr } = await process.stop("SIGINT");
  assert.equal(status, 0, stderr);
  const warnings = stderr.split("\n").filter((line) => /^tcpspan: without the iterator/.test(line));
  assert.equal(warnings.length, 4, stderr);
  for (const warning of warnings) assert.match(warning, /Operation not permitted\)$/);
});

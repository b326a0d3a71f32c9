/** Tracing without root: what each capability is needed for, and what a run lacks without it. */
import assert from "node:assert/strict";
import { startNginx } from "./nginx.ts";
import { asNobody } from "./places.ts";
import { Process } from "./process.ts";
import { runTcpspan, startTcpspan } from "./tcpspan.ts";

const ENOUGH = ["bpf", "perfmon"];

/** What a run with these capabilities reports of a session, whose owner is a shell of user 1. */
async function traceAnother(capabilities: readonly string[]) {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    inside: await asNobody(capabilities),
    config: `
resource: { command_line: true, from_process_env: true }
exporters: { stdout: { format: json } }
`,
  });
  // it lives on while its session is read; without the colon it would become the sleep
  const script = `exec 3<>/dev/tcp/127.0.0.1/${nginx.port}; exec 3>&-; sleep 9 >&- 2>&-; :`;
  await using shell = new Process(
    ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "bash", "-c", script],
    { env: { PATH: Deno.env.get("PATH") ?? "", OTEL_SERVICE_NAME: "its-own-name" } },
  );
  const [line] = await tool.stdout.waitForLines(1, (text) => text.startsWith("{"));
  const { status, stderr } = await tool.stop("SIGINT");
  assert.equal(status, 0);
  const span: Record<string, unknown> = JSON.parse(line?.text ?? "");
  assert.equal(span["process.pid"], shell.pid);
  assert.equal(span["process.owner"], "daemon");
  assert.equal(span["process.executable.name"], "bash");
  assert.equal(span["thread.name"], "bash");
  return {
    service: span["service.name"],
    path: span["process.executable.path"],
    commandLine: span["process.command_line"],
    expectedCommandLine: `bash -c ${script}`,
    warnings: stderr.split("\n").filter((text) => text.startsWith("tcpspan: without CAP_")),
  };
}

Deno.test("CAP_BPF and CAP_PERFMON, not root: sessions with their owners; a warning says what is missing", async () => {
  const { service, path, commandLine, warnings } = await traceAnother(ENOUGH);
  assert.deepEqual([service, path, commandLine], ["bash", undefined, undefined]);
  assert.equal(warnings.length, 2, warnings.join("\n"));
  assert.match(warnings[0] ?? "", /^tcpspan: without CAP_SYS_PTRACE: .*process\.executable\.path/);
  assert.match(warnings[1] ?? "", /^tcpspan: without CAP_DAC_READ_SEARCH: .*OTEL_SERVICE_NAME/);
});

Deno.test("CAP_SYS_PTRACE adds the path and the command line", async () => {
  const { service, path, commandLine, expectedCommandLine, warnings } = await traceAnother(
    [...ENOUGH, "sys_ptrace"],
  );
  assert.equal(service, "bash");
  assert.match(String(path), /\/bash$/);
  assert.equal(commandLine, expectedCommandLine);
  assert.equal(warnings.length, 1, warnings.join("\n"));
});

Deno.test("CAP_DAC_READ_SEARCH also adds the process's own service name, and nothing is missing", async () => {
  const { service, warnings } = await traceAnother([
    ...ENOUGH,
    "sys_ptrace",
    "dac_read_search",
  ]);
  assert.deepEqual([service, warnings], ["its-own-name", []]);
});

Deno.test("with CAP_BPF and CAP_PERFMON a table lacks nothing", async () => {
  await using tool = await startTcpspan([], { inside: await asNobody(ENOUGH) });
  const { status, stderr } = await tool.stop("SIGINT");
  assert.deepEqual([status, stderr], [0, "tcpspan: tracing\n"]);
});

for (
  const [one, other] of [["CAP_BPF", "CAP_PERFMON"], ["CAP_PERFMON", "CAP_BPF"]] as const
) {
  Deno.test(`${one} without ${other}: says which one is missing, status 1`, async () => {
    const { status, stderr } = await runTcpspan([], {
      inside: await asNobody([one.slice("CAP_".length).toLowerCase()]),
    });
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`privileges: .*: it lacks ${other}\\n`));
  });
}

Deno.test("doctor says of each capability that is not given what is missing without it", async () => {
  const { status, stdout } = await runTcpspan(["doctor"], { inside: await asNobody(ENOUGH) });
  assert.equal(status, 0);
  for (const name of ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"]) {
    assert.match(stdout, new RegExp(`^without  ${name} +not given\n +-> .+$`, "m"));
  }
});

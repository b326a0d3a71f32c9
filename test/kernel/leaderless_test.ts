/** A process whose main thread has ended while another goes on: /proc/PID shows no program then. */
import { strict as assert } from "node:assert";
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { TextLineStream } from "../lines.ts";
import { ProcessResources } from "../../src/span/resource.ts";
import { PYTHON } from "../python.ts";
import { Actor } from "./actor.ts";
import { hasPort, Trace } from "./harness.ts";
import { Cgroup } from "./host.ts";

const PROGRAM = new URL("../programs/leaderless.py", import.meta.url).pathname;
const EXECUTABLE = Deno.realPathSync(PYTHON[0]);
const SETTINGS = { attributes: {}, commandLine: true, fromProcessEnv: false };

for (const when of ["before", "during", "exec"]) {
  for (const traced of ["from the start", "from the middle on"]) {
    Deno.test(`a process whose main thread ends ${when} its session has path, command line and service, traced ${traced}`, async () => {
      using cgroup = new Cgroup(".service");
      await using server = await Actor.start();
      const port = await server.listen("l", "ipv4", "127.0.0.1");
      await using stack = new AsyncDisposableStack();
      const early = traced === "from the start" ? stack.use(await Trace.start()) : undefined;
      await using process = startProgram(cgroup.path, port, when);
      const [{ pid }] = await Promise.all([process.ready, server.accept("l", "s")]);
      const hasMainThread = isReadable(`/proc/${pid}/exe`);
      assert.equal(hasMainThread, when === "exec");
      const trace = early ?? stack.use(await Trace.start());
      await process.close();
      await server.receiveFin("s");
      await server.close("s");
      const sessions = await trace.take(2, hasPort(port));
      const session = sessions.find(({ peerPort }) => peerPort === port);
      assert.ok(session !== undefined);
      assert.equal(session.pid, pid);

      const { attributes } = new ProcessResources(SETTINGS).of(session);
      assert.equal(attributes["process.executable.path"], EXECUTABLE);
      assert.equal(attributes["process.executable.name"], basename(EXECUTABLE));
      assert.equal(
        attributes["process.command_line"],
        [...PYTHON, PROGRAM, `${port}`, when === "exec" ? "never" : when].join(" "),
      );
      assert.equal(attributes["service.name"], basename(cgroup.path, ".service"));
      const own = new ProcessResources({ ...SETTINGS, fromProcessEnv: true }).of(session);
      assert.equal(own.attributes["service.name"], "own");
      await process.end();
    });
  }
}

function startProgram(cgroup: string, port: number, when: string) {
  const script = 'echo $$ >"$0"/cgroup.procs && exec "$@"';
  const child = new Deno.Command("sh", {
    args: ["-c", script, cgroup, ...PYTHON, PROGRAM, `${port}`, when],
    env: { OTEL_SERVICE_NAME: "own" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextLineStream()).getReader();
  const input = child.stdin.getWriter();
  return {
    ready: lines.read().then(({ value }) => ({ pid: Number(value) })),
    /** Closes the session; the process goes on until `end()`. */
    close: () => input.write(new TextEncoder().encode("close\n")),
    async end() {
      await input.close();
      assert.equal((await child.status).success, true);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        child.kill("SIGKILL");
      } catch {
        // it has ended
      }
      await child.status;
      await lines.cancel();
    },
  };
}

function isReadable(link: string): boolean {
  try {
    readlinkSync(link);
    return true;
  } catch {
    return false;
  }
}

/** A capture that itself runs in a pid namespace, as in a container. */
import { strict as assert } from "node:assert";
import { Actor } from "./actor.ts";
import { TextLineStream } from "../lines.ts";

const PROGRAM = new URL("../programs/trace.ts", import.meta.url).pathname;
const CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
const LOOPBACK = { family: "ipv4", address: "127.0.0.1" } as const;

Deno.test("pid is the one in the capture's own namespace, and unknown for processes outside of it", async () => {
  await using outside = await Actor.start({ comm: "outside" });
  const port = await outside.listen("l", "ipv4", "127.0.0.1");
  await using tracer = startTracer(port);
  assert.equal(await tracer.line(), "tracing");
  const under = ["nsenter", `--target=${await tracer.pid()}`, "--pid", "--mount"];
  await using inside = await Actor.start({ comm: "inside", under });
  await Promise.all([inside.connect("s", { ...LOOPBACK, port }), outside.accept("l", "s")]);
  await inside.send("s", 1);
  await outside.receive("s", 1);
  await inside.close("s");
  await outside.receiveFin("s");
  await outside.close("s");
  const ends = [JSON.parse(await tracer.line()), JSON.parse(await tracer.line())];
  const { exe } = outside.process;
  assert.deepEqual(ends.sort((a, b) => a.role < b.role ? -1 : 1), [
    {
      role: "active",
      pid: inside.process.pid,
      comm: "inside",
      executable: exe,
      ownerSource: "connect",
    },
    { role: "passive", pid: null, comm: "outside", executable: exe, ownerSource: "recv" },
  ]);
  assert.ok(inside.process.pid < 1000, "a small number, of a new namespace");
});

/** programs/trace.ts in its own pid namespace. */
function startTracer(port: number) {
  const [command = "unshare", ...args] = [
    ...CONTAINER,
    Deno.execPath(),
    "run",
    "--allow-all",
    PROGRAM,
    String(port),
  ];
  const child = new Deno.Command(command, { args, stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextLineStream()).getReader();
  return {
    async line(): Promise<string> {
      const { value } = await lines.read();
      assert.ok(value !== undefined, "the tracer ended early");
      return value;
    },
    /** The tracer's pid in the namespace of this test. */
    async pid(): Promise<number> {
      const file = `/proc/${child.pid}/task/${child.pid}/children`; // unshare has one child
      return Number((await Deno.readTextFile(file)).trim());
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await lines.cancel();
      try {
        child.kill("SIGKILL");
      } catch {
        // it has ended
      }
      await child.status;
    },
  };
}

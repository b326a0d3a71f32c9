/** Sessions of which a thread of the kernel makes every call for the process: io_uring(7). */
import { strict as assert } from "node:assert";
import { compile } from "../compile.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { Actor } from "./actor.ts";
import { hasPort, Trace } from "./harness.ts";

const SOURCES = new URL("../programs/io_uring/", import.meta.url).pathname;

for (const [thread, how] of [["iou-wrk-PID", "wrk"], ["iou-sqp-PID", "poll"]] as const) {
  Deno.test(`comm is the process's where ${thread} connects, sends and closes`, async () => {
    await using folder = await makeTempFolder();
    const program = `${folder.path}/client`;
    await compile(SOURCES, program);
    await using server = await Actor.start();
    const port = await server.listen("l", "ipv4", "127.0.0.1");
    await using trace = await Trace.start();
    const child = new Deno.Command(program, { args: [how, `${port}`], stdin: "piped" }).spawn();
    await server.accept("l", "s");
    await server.receive("s", 1);
    await server.receiveFin("s");
    await server.close("s");
    const sessions = await trace.take(2, hasPort(port));
    const session = sessions.find(({ peerPort }) => peerPort === port);
    await child.stdin.close();
    assert.equal((await child.status).code, 0);
    assert.ok(session !== undefined);
    assert.deepEqual(
      [session.comm, session.executable, session.pid, session.ownerSource],
      ["client", "client", child.pid, "connect"],
    );
  });
}

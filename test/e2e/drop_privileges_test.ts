/** `drop_privileges`: what only an intruder needs is impossible, and tracing works as before. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Actor } from "../kernel/actor.ts";
import { Cgroup, Namespace } from "../kernel/host.ts";
import { curl, freePort, startNginx } from "./nginx.ts";
import { asNobody, type Inside } from "./places.ts";
import { until } from "./process.ts";
import { startReceiver } from "./receiver.ts";
import { startTcpspan } from "./tcpspan.ts";

const INTRUDER = fileURLToPath(new URL("../programs/intruder.ts", import.meta.url));

/** What a foreign exporter could do beyond exporting. */
async function possible(drop: boolean): Promise<string> {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    config: `
drop_privileges: ${drop}
exporters: { evil: { module: ${INTRUDER}, export: Intruder } }
`,
  });
  await curl([nginx.url("/")]);
  const [line] = await tool.stderr.waitForLines(1, (text) => text.includes("possible: "));
  const { status } = await tool.stop("SIGINT");
  assert.equal(status, 0);
  return line?.text.replace(/.*possible: /, "") ?? "";
}

Deno.test("without drop_privileges, code in the process can do all that root can", async () => {
  assert.equal(await possible(false), "exec, map, mapInDisguise, otherPrograms, setns, unshare");
});

Deno.test("with drop_privileges, no program is started, no kernel program or map made, no namespace entered", async () => {
  assert.equal(await possible(true), "nothing");
});

const WHO: readonly (readonly [string, Inside | undefined])[] = [
  ["root", undefined],
  ["user 65534 with CAP_BPF, CAP_PERFMON", await asNobody(["bpf", "perfmon", "sys_ptrace"])],
];

for (const [who, inside] of WHO) {
  Deno.test(`${who}: every thread drops its privileges, and everything works afterwards`, async () => {
    await using nginx = await startNginx();
    const port = freePort();
    await using receiver = startReceiver(port);
    using excluded = new Cgroup();
    await using tool = await startTcpspan(["-D", `${nginx.port}`], {
      config: `
drop_privileges: true
capture:
  interim: 200ms
  report_open_on_exit: true
  exclude_cgroups: ["/${excluded.path.replace(/.*\//, "")}", /comes/later]
exporters:
  stdout: { format: json }
  otlp: { endpoint: "http://127.0.0.1:${port}" }
`,
      ...(inside === undefined ? {} : { inside }),
    });
    await curl([nginx.url("/")]); // reported when it closes: by a walk
    const slow = curl([nginx.url("/slow")]); // interim reports: by another walk
    await tool.stdout.waitForLines(2, (line) => line.includes('"tcpspan.interim":true'));
    await slow;
    await tool.stdout.waitForLines(2, (line) => !line.includes('"tcpspan.interim":true'));
    await until("the delivery", () => receiver.spans.length >= 4);

    for (const { name } of Deno.readDirSync(`/proc/${tool.pid}/task`)) {
      const status = Deno.readTextFileSync(`/proc/${tool.pid}/task/${name}/status`);
      assert.match(status, /^Seccomp:\s+2$/m);
      assert.match(status, /^NoNewPrivs:\s+1$/m);
    }
    const { status, stderr } = await tool.stop("SIGINT");
    assert.equal(status, 0);
    assert.doesNotMatch(stderr, /cannot|failure|not permitted|lost/i);
  });
}

Deno.test("with drop_privileges, sockets without a process in other network namespaces limit what was lost", async () => {
  await using namespace = await Namespace.alone();
  await namespace.ip("link", "set", "lo", "up");
  await using client = await Actor.start({ under: namespace.under });
  await using server = await Actor.start({ under: namespace.under });
  const lost = async (drop: boolean) => {
    await using tool = await startTcpspan([], {
      config: `{ drop_privileges: ${drop}, exporters: { stdout: { format: csv } } }`,
    });
    const port = await server.listen("l", "ipv4", "127.0.0.1");
    await client.connect("s", { family: "ipv4", address: "127.0.0.1", port }); // nobody accepts it
    const { stderr } = await tool.stop("SIGINT");
    await server.close("l");
    await client.receiveError("s");
    await client.close("s");
    return /^tcpspan: lost (.*): the kernel ran no program/m.exec(stderr)?.[1];
  };
  assert.equal(await lost(false), undefined);
  assert.equal(await lost(true), "at most 1 session");
});

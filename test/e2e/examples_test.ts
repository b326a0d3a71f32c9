/** The programs of examples/, run as somebody who tries them out would. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeTempFolder } from "../temp_folder.ts";
import { unusedPort } from "../raw_server.ts";
import { BODY_LENGTH, curl, freePort, startNginx } from "./nginx.ts";
import { Process, until } from "./process.ts";
import { environment, REPOSITORY, startTcpspan } from "./tcpspan.ts";

function example(name: string, ...args: readonly string[]): Process {
  const command = [Deno.execPath(), "run", "-A", "--frozen", `examples/${name}`, ...args] as const;
  return new Process(command, { cwd: REPOSITORY, env: environment() });
}

Deno.test("top_talkers.ts adds up bytes by process over an interval", async () => {
  await using nginx = await startNginx();
  await using talkers = example("top_talkers.ts", "1");
  await talkers.stdout.waitForLines(1, (line) => line === "BYTES\tPID\tPROCESS");
  const reports = [await curl([nginx.url("/")]), await curl([nginx.url("/"), nginx.url("/")])];
  const lines = await talkers.stdout.waitForLines(2, (line) => line.endsWith("\tcurl"));
  for (const [i, { pid }] of reports.entries()) {
    const line = lines.map(({ text }) => text.split("\t")).find(([, id]) => id === `${pid}`);
    const bytes = Number(line?.[0]);
    assert.ok(bytes > (i + 1) * BODY_LENGTH && bytes < (i + 1) * BODY_LENGTH + 2000, `${bytes}`);
  }
  const { status, stderr } = await talkers.stop("SIGINT");
  assert.deepEqual([status, stderr], [0, ""]);
});

Deno.test("top_talkers.ts counts the bytes of a session that stays open as they come", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [client, server] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  /** Of this process, in all tables together. */
  const bytesIn = (tables: string) =>
    tables.split("\n").map((line) => line.split("\t"))
      .filter(([, pid]) => pid === `${Deno.pid}`)
      .reduce((sum, [bytes]) => sum + Number(bytes), 0);
  {
    await using talkers = example("top_talkers.ts", "1");
    await talkers.stdout.waitForLines(1, (line) => line.startsWith("BYTES"));
    let sum = 0;
    for (let turn = 1; turn <= 2; turn++) {
      await client.write(new Uint8Array(1000));
      await server.read(new Uint8Array(1000));
      sum += 2000; // at both ends
      await until("the bytes", () => {
        return bytesIn(talkers.stdout.text) >= sum;
      });
    }
    const { stdout } = await talkers.stop("SIGINT");
    assert.equal(bytesIn(stdout), sum);
  }
  for (const resource of [client, server, listener]) resource.close();
});

Deno.test("refused_connects.ts prints who was refused by whom, at the ports that are named", async () => {
  const [port, other] = [unusedPort(), unusedPort()];
  await using alerts = example("refused_connects.ts", `${port}`);
  await until("an alert", async () => {
    await curl([`http://127.0.0.1:${other}/`]);
    await curl([`http://127.0.0.1:${port}/`]);
    return alerts.stdout.lines.length > 0;
  });
  const { status, stdout, stderr } = await alerts.stop("SIGINT");
  assert.deepEqual([status, stderr], [0, ""]);
  for (const line of stdout.trimEnd().split("\n")) {
    assert.match(
      line,
      new RegExp(
        `^\\d{4}-\\d\\d-\\d\\dT\\S+Z curl \\(\\d+\\) was refused by 127\\.0\\.0\\.1 port ${port}$`,
      ),
    );
  }
});

/** What is posted to the webhook, and how it answers. */
function startHook(port: number, statuses: number[]) {
  const sessions: Record<string, unknown>[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request) => {
      const status = statuses.shift() ?? 200;
      const body = await request.json();
      if (status === 200) sessions.push(...body);
      return new Response(null, { status });
    },
  );
  return { sessions, server };
}

/** The example's config, with the port of a test. */
async function configOf(port: number): Promise<string> {
  const text = await Deno.readTextFile(join(REPOSITORY, "examples/webhook.yaml"));
  return text.replace("./webhook.ts", `${REPOSITORY}examples/webhook.ts`)
    .replace("localhost:8080", `127.0.0.1:${port}`);
}

Deno.test("webhook.ts, named in a config, posts sessions, and posts again what was not taken", async () => {
  await using nginx = await startNginx();
  const port = freePort();
  const { sessions, server } = startHook(port, [503]);
  await using _server = server;
  await using tool = await startTcpspan(["-L", `${nginx.port}`], { config: await configOf(port) });
  await curl([nginx.url("/")]);
  await until("the session", () => sessions.length > 0);
  assert.equal(sessions[0]?.["localPort"], nginx.port);
  assert.match(String(sessions[0]?.["endUnixNs"]), /^\d{19}$/);
  const { status, stderr } = await tool.stop("SIGINT");
  assert.equal(status, 0, stderr);
  assert.match(stderr, /^tcpspan: webhook: sessions are sent without encryption$/m);
  assert.match(stderr, /^tcpspan: webhook: .* answered 503; trying again/m);
  assert.match(stderr, /^tcpspan: captured 1 session; delivered: webhook 1$/m);
});

Deno.test("options that webhook.ts refuses end the run with status 2 and their place", async () => {
  await using folder = await makeTempFolder();
  const config = join(folder.path, "tcpspan.yaml");
  await Deno.writeTextFile(config, (await configOf(1)).replace(/url: .*/, "url: nowhere"));
  await using process = new Process(
    [Deno.execPath(), "run", "-A", "--frozen", "mod.ts", "--config", config],
    { cwd: REPOSITORY, env: environment() },
  );
  assert.deepEqual(await process.end(), {
    status: 2,
    stdout: "",
    stderr: "tcpspan: exporters.webhook.options: cannot open webhook: " +
      "url is ***: expected one such as http://localhost/\n", // it may hold a token,
  });
});

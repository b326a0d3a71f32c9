/** tcpspan as a library: what a program elsewhere gets that imports mod.ts. */
import assert from "node:assert/strict";
import { extname, join } from "node:path";
import { makeTempFolder, type TempFolder } from "../temp_folder.ts";
import { type Ended, Process } from "./process.ts";
import { environment, REPOSITORY } from "./tcpspan.ts";

const PATIENCE_MS = 60_000; // type-checking all of it on a busy machine

/** A project of somebody else's, with nothing of tcpspan's but the import. */
async function makeProject(program: string): Promise<TempFolder> {
  const folder = await makeTempFolder();
  await Deno.writeTextFile(join(folder.path, "deno.json"), "{}");
  await Deno.writeTextFile(join(folder.path, "main.ts"), program);
  return folder;
}

async function deno(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  await using process = new Process([Deno.execPath(), ...args], { cwd, env: environment(env) });
  return await process.end(PATIENCE_MS);
}

const PROGRAM = `
import { capture, openSpans, type Session, type SessionData, sessionOf } from "${REPOSITORY}mod.ts";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const { port } = listener.addr as Deno.NetAddr;

/** Both ends of a session of this program's own. */
async function connect(): Promise<void> {
  const [client, server] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port }),
    listener.accept(),
  ]);
  client.close();
  server.close();
}

function check(session: Session): void {
  // @ts-expect-error: nothing of the record's inside
  session.moveTo(1);
}
void check;

const kept: Session[] = [];
const data: SessionData[] = [];
const sessions = await capture({ localPorts: [port], existing: false });
await connect();
for await (const batch of sessions) {
  for (const session of batch) {
    kept.push(session);
    data.push(session.toObject());
  }
  if (data.length < 2) await connect();
  else sessions.stop();
}
await sessions[Symbol.asyncDispose]();
listener.close();

let error: unknown;
try {
  console.error(kept[0]?.comm);
} catch (thrown) {
  error = thrown;
}
const spans = await openSpans();
const [first] = data;
if (first === undefined) throw new Error("no session");
console.log(JSON.stringify({
  port,
  error: String(error),
  ports: data.map(({ localPort }) => localPort),
  pid: first.pid === Deno.pid,
  json: first,
  name: spans.toSpan(sessionOf(first)).name,
  traceId: spans.idsOf(sessionOf(first)).traceId,
  losses: sessions.losses(),
}));
`;

Deno.test("a program in another folder, with a deno.json of its own, type-checks and runs", async () => {
  await using project = await makeProject(PROGRAM);
  const checked = await deno(["check", "main.ts"], project.path);
  assert.equal(checked.status, 0, checked.stderr);
  const { status, stdout, stderr } = await deno(["run", "-A", "main.ts"], project.path);
  assert.equal(status, 0, stderr);
  const found = JSON.parse(stdout);
  assert.match(found.error, /^TypeError: cannot read comm of a session whose batch was given up/);
  assert.ok(found.ports.every((port: number) => port === found.port));
  assert.equal(found.pid, true);
  assert.match(found.json.endUnixNs, /^\d{19}$/);
  assert.match(found.name, /^tcp/);
  assert.match(found.traceId, /^[0-9a-f]{32}$/);
  assert.equal(found.losses.ringFull, 0);
});

Deno.test("an unknown option ends the program before anything is attached", async () => {
  await using project = await makeProject(`
    import { capture, UsageError } from "${REPOSITORY}mod.ts";
    try {
      await capture({ localPort: [1] } as object);
    } catch (error) {
      console.log(error instanceof UsageError, String(error));
    }
  `);
  const { stdout } = await deno(["run", "-A", "main.ts"], project.path);
  assert.equal(
    stdout,
    'true UsageError: cannot capture: there is no option localPort: did you mean "localPorts"?\n',
  );
});

/** A module of `deno info --json`. */
interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly specifier: string }[];
}

Deno.test("nothing that mod.ts reaches is named by an import map", async () => {
  const { stdout } = await deno(["info", "--json", "mod.ts"], REPOSITORY);
  const { modules }: { modules: readonly Module[] } = JSON.parse(stdout);
  const own = modules.filter(({ specifier }) => specifier.startsWith(`file://${REPOSITORY}`));
  assert.ok(own.length > 150, `${own.length}`);
  const specifiers = own.flatMap(({ dependencies = [] }) => dependencies)
    .map(({ specifier }) => specifier);
  assert.deepEqual(specifiers.filter((text) => !/^(\.{1,2}\/|node:|npm:)/.test(text)), []);
});

Deno.test("each version of a package is named once", async () => {
  const { stdout } = await deno(["info", "--json", "mod.ts"], REPOSITORY);
  const { modules }: { modules: readonly Module[] } = JSON.parse(stdout);
  const packages = modules
    .filter(({ specifier }) => specifier.startsWith(`file://${REPOSITORY}`))
    .flatMap(({ dependencies = [] }) => dependencies.map(({ specifier }) => specifier))
    .filter((specifier) => specifier.startsWith("npm:"));
  assert.ok(packages.length >= 13);
  assert.deepEqual(packages, [...new Set(packages)]);
  assert.ok(packages.every((name) => /@\d+\.\d+\.\d+(\/|$)/.test(name)));
});

Deno.test("the documentation of the exports has no gaps", async () => {
  const { status, stderr } = await deno(["doc", "--lint", "mod.ts"], REPOSITORY);
  assert.equal(status, 0, stderr);
});

Deno.test("the package can be published as it is", async () => {
  const args = ["publish", "--dry-run", "--allow-dirty"];
  const { status, stdout, stderr } = await deno(args, REPOSITORY);
  assert.equal(status, 0, stderr);
  for (const file of ["mod.ts", "bpf/tcpspan.bpf.o", "vendor/zod.js", "npm/grpc_js.ts"]) {
    assert.ok((stdout + stderr).includes(`/${file} (`), file);
  }
  assert.doesNotMatch(stdout + stderr, /\/(test|bench|examples)\/|\/generate\.ts/);
});

const TYPES: Readonly<Record<string, string>> = {
  ".ts": "application/typescript",
  ".js": "text/javascript",
  ".json": "application/json",
};

const OBJECT = "/bpf/tcpspan.bpf.o";

/** The repository on a web server, but for `answer`, which the kernel program is asked for with. */
function serve(answer?: () => Promise<Response>) {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const path = new URL(request.url).pathname;
    if (path === OBJECT && answer !== undefined) return await answer();
    return new Response(await Deno.readFile(join(REPOSITORY, path)), {
      headers: { "content-type": TYPES[extname(path)] ?? "application/octet-stream" },
    });
  });
}

// without these, Deno downloads every package of npm that any run could use
const LAZY = ["--unstable-lazy-dynamic-imports", "--unstable-npm-lazy-caching"];

const SERVED: readonly {
  readonly what: string;
  readonly answer?: () => Promise<Response>;
  readonly expected: (object: string) => string;
}[] = [
  { what: "a capture works", expected: () => "captured" },
  {
    what: "without the kernel program: the reason, and what to do",
    answer: () => Promise.resolve(new Response("not here", { status: 404 })),
    expected: (object) =>
      `HostError: cannot fetch the kernel program from ${object}: status 404; each start ` +
      "fetches it, because tcpspan was not loaded from a disk: make sure that it can, or use a " +
      "clone of the repository",
  },
  {
    what: "with the kernel program of another version: not used",
    answer: async () => new Response(`${await Deno.readTextFile(join(REPOSITORY, OBJECT))}.`),
    expected: (object) =>
      `HostError: cannot use the kernel program from ${object}: it belongs to another version of ` +
      "tcpspan than the source that Deno has cached: run deno cache --reload with the URL of the " +
      "program",
  },
];

for (const { what, answer, expected } of SERVED) {
  Deno.test(`loaded from a web server, ${what}`, async () => {
    await using server = serve(answer);
    const url = `http://127.0.0.1:${server.addr.port}`;
    await using project = await makeProject(`
      import { capture } from "${url}/mod.ts";
      try {
        await using sessions = await capture({ signal: AbortSignal.timeout(50) });
        for await (const _batch of sessions);
        console.log("captured");
      } catch (error) {
        console.log(String(error));
      }
    `);
    const { stdout, stderr } = await deno(["run", "-A", ...LAZY, "main.ts"], project.path, {
      DENO_DIR: join(project.path, "cache"),
    });
    assert.equal(stdout, `${expected(`${url}${OBJECT}`)}\n`, stderr);
  });
}

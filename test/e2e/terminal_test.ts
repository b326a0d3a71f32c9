/** Terminals that close: a run ends properly with its terminal, unless nohup started it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PYTHON } from "../python.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { Process, until } from "./process.ts";
import { command, environment, REPOSITORY, TRACING } from "./tcpspan.ts";
import { startTraffic } from "./traffic.ts";

const TERMINAL = fileURLToPath(new URL("../programs/terminal.py", import.meta.url));

/** Keeps the terminal open, as a shell does: without that its last close would be no hangup. */
const SCRIPT = 'out=$1 errors=$2; shift 2; exec "$@" >"$out" 2>"$errors" 3</dev/tty';

/** tcpspan in its own terminal, its output in files. */
async function startInTerminal(args: readonly string[], before: readonly string[] = []) {
  const folder = await makeTempFolder();
  const [out, errors] = [join(folder.path, "out"), join(folder.path, "errors")];
  for (const path of [out, errors]) await Deno.writeTextFile(path, "");
  const process = new Process([
    ...PYTHON,
    TERMINAL,
    ...["sh", "-c", SCRIPT, "sh"],
    ...[out, errors, ...before, ...command(...args)],
  ], { env: environment(), cwd: REPOSITORY, stdin: "piped" });
  const [line] = await process.stdout.waitForLines(1, () => true);
  const read = (path: string) => Deno.readTextFileSync(path);
  await until("tracing", () => read(errors).includes(TRACING));
  return {
    pid: Number(line?.text),
    get stdout() {
      return read(out);
    },
    get stderr() {
      return read(errors);
    },
    close: () => process.write("\n"),
    end: async () => (await process.end()).status,
    [Symbol.asyncDispose]: async () => {
      await process[Symbol.asyncDispose](); // its terminal closes too
      await folder[Symbol.asyncDispose]();
    },
  };
}

const EMPTY = "exporters: { stdout: { format: csv } }";

for (const config of [undefined, EMPTY]) {
  const name = config === undefined ? "without a config" : "with a config";
  Deno.test(`a terminal that closes ends a run ${name}: status 0, and the last session is reported`, async () => {
    await using traffic = startTraffic();
    await using folder = await makeTempFolder();
    const file = join(folder.path, "tcpspan.yaml");
    if (config !== undefined) await Deno.writeTextFile(file, config);
    const flags = config === undefined ? [] : ["--config", file];
    await using tool = await startInTerminal([...flags, "-D", `${traffic.port}`]);
    await traffic.make(1);
    await tool.close();
    assert.equal(await tool.end(), 0);
    assert.equal(tool.stdout.split("\n").length, 3, "a header, a row, and a line's end");
    assert.equal(tool.stderr, `${TRACING}\n`);
  });
}

Deno.test("in an open terminal SIGHUP reloads the config", async () => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  const file = join(folder.path, "tcpspan.yaml");
  await Deno.writeTextFile(file, EMPTY);
  await using tool = await startInTerminal(["--config", file, "-D", `${traffic.port}`]);
  Deno.kill(tool.pid, "SIGHUP");
  await until("the reload", () => tool.stderr.includes(`reloaded ${file}: `));
  await tool.close();
  assert.equal(await tool.end(), 0);
});

Deno.test("with nohup a run outlives its terminal", async () => {
  await using traffic = startTraffic();
  await using tool = await startInTerminal(["-D", `${traffic.port}`], ["nohup"]);
  await tool.close();
  await until("the hangup", () => tool.stderr.includes("nothing to reload"));
  await traffic.make(1);
  await until("a row", () => tool.stdout.split("\n").length === 3);
  Deno.kill(tool.pid, "SIGTERM");
  assert.equal(await tool.end(), 0);
});

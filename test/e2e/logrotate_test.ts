/** The file exporter's file is renamed under it, with and without SIGHUP, under traffic. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { together } from "../together.ts";
import { openFiles, until } from "./process.ts";
import { startTcpspan } from "./tcpspan.ts";
import { startTraffic } from "./traffic.ts";

const ROTATIONS = 5;

const rotate = together([true, false], async (signal) => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  await using tool = await startTcpspan([], {
    config: `
capture: { remote_ports: [${traffic.port}] }
exporters: { file: { path: "${path}" } }
`,
  });
  await traffic.during((async () => {
    for (let i = 1; i <= ROTATIONS; i++) {
      await until("sessions in the file", () => (sizeOf(path) ?? 0) > 0);
      await Deno.rename(path, `${path}.${i}`);
      if (signal) Deno.kill(tool.pid, "SIGHUP");
    }
    await until("sessions in the last file", () => (sizeOf(path) ?? 0) > 0);
  })());
  assert.equal((await tool.stop("SIGTERM")).status, 0);
  const ids: string[] = [];
  for await (const file of Deno.readDir(folder.path)) {
    const info = await Deno.stat(join(folder.path, file.name));
    assert.equal(info.mode, 0o100600, file.name);
    const text = await Deno.readTextFile(join(folder.path, file.name));
    ids.push(...parseOtlpJsonLines(text).map(({ spanId }) => spanId));
  }
  assert.equal(ids.length, traffic.made);
  assert.equal(new Set(ids).size, traffic.made);
});

for (const signal of [true, false]) {
  const name = signal ? "and a SIGHUP, as logrotate does" : "without a signal";
  Deno.test(`a file that is renamed ${name}: each session is in one of the files`, () =>
    rotate(signal));
}

Deno.test("SIGHUP starts the new file at once, even if the config is wrong by now", async () => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  await using tool = await startTcpspan(["-D", `${traffic.port}`], {
    config: `exporters: { file: { path: "${path}" } }`,
  });
  for (const config of [undefined, "exporters: nonsense"]) {
    if (config !== undefined) await Deno.writeTextFile(tool.config, config);
    await Deno.rename(path, `${path}.1`);
    Deno.kill(tool.pid, "SIGHUP");
    await until("the new file", () => sizeOf(path) === 0);
    await until("the old one's end", () => !openFiles(tool.pid).includes(`${path}.1`));
  }
  assert.equal((await tool.stop("SIGTERM")).status, 0);
});

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined;
  }
}

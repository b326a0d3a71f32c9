/**
 * Disks that take no writes for a while. The file exporter reports it once and loses nothing; stdout
 * loses whole rows, and counts them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { sleep } from "../fake_exporter.ts";
import { mountReadOnlyDisk } from "../read_only_disk.ts";
import { mountSmallDisk } from "../small_disk.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { together } from "../together.ts";
import { until } from "./process.ts";
import { startTcpspan, tracingTo } from "./tcpspan.ts";
import { startTraffic } from "./traffic.ts";

interface Case {
  readonly name: string;
  /** Takes the disk away; disposing gives it back. */
  readonly spoil: (folder: string) => Promise<AsyncDisposable>;
  /** The reason that the message gives. */
  readonly reason: string;
}

const CASES: readonly Case[] = [
  {
    name: "a full disk",
    spoil: fill,
    reason: "No space left on device",
  },
  { name: "a read-only disk", spoil: mountReadOnlyDisk, reason: "Read-only file system" },
  {
    name: "a folder that is gone",
    spoil: async (folder) => {
      const elsewhere = `${folder}.elsewhere`;
      await Deno.rename(folder, elsewhere);
      return { [Symbol.asyncDispose]: () => Deno.rename(elsewhere, folder) };
    },
    reason: "there is no folder FOLDER any more: create it",
  },
];

const endure = together(CASES, async ({ spoil, reason }) => {
  await using traffic = startTraffic();
  await using outer = await makeTempFolder();
  await using _disk = await mountSmallDisk(outer.path, 512 * 1024);
  const folder = join(outer.path, "spans");
  await Deno.mkdir(folder);
  const path = join(folder, "spans.jsonl");
  await using tool = await startTcpspan([], {
    config: `
capture: { remote_ports: [${traffic.port}] }
exporters: { file: { path: "${path}" } }
`,
  });
  await traffic.make(3);
  await until("the first sessions", () => spansIn(path) === 3);
  {
    await using _spoilt = await spoil(folder);
    for (let i = 0; i < 3; i++) {
      await traffic.make(20);
      await tool.stderr.waitForLines(1, (line) => line.includes("trying again"));
      await new Promise((resolve) => setTimeout(resolve, 300)); // longer than a batch fills up
    }
  }
  await tool.stderr.waitForLines(1, (line) => line === "tcpspan: file: delivering again");
  await traffic.make(1);
  const { status, stderr } = await tool.stop("SIGTERM");
  const why = reason.replace("FOLDER", folder);
  assert.deepEqual([status, stderr], [
    0,
    `\
${tracingTo(`file ${path}`)}
tcpspan: file: delivering to ${path}
tcpspan: file: cannot write ${path}: ${why}; trying again, up to 100000 sessions are kept
tcpspan: file: delivering again
`,
  ]);
  const ids = parseOtlpJsonLines(await Deno.readTextFile(path)).map(({ spanId }) => spanId);
  assert.equal(ids.length, traffic.made);
  assert.equal(new Set(ids).size, traffic.made);
});

for (const one of CASES) {
  const { name } = one;
  Deno.test(`${name}: reported once, tried again; later every session is in the file`, () =>
    endure(one));
}

Deno.test("a disk that stays full: tcpspan stops without delay, and reports what was lost", async () => {
  await using traffic = startTraffic();
  await using folder = await makeTempFolder();
  await using _disk = await mountSmallDisk(folder.path, 512 * 1024);
  const path = join(folder.path, "spans.jsonl");
  await using tool = await startTcpspan([], {
    config: `
capture: { remote_ports: [${traffic.port}] }
exporters: { file: { path: "${path}" } }
`,
  });
  await Deno.writeFile(join(folder.path, "ballast"), new Uint8Array(2 ** 20)).catch(() => {});
  await traffic.make(20);
  await tool.stderr.waitForLines(1, (line) => line.includes("trying again"));
  const { status, stderr } = await tool.stop("SIGTERM");
  assert.equal(status, 0);
  assert.match(stderr, /^tcpspan: lost 20 sessions: file: not delivered$/m);
  assert.equal(spansIn(path), 0, "and nothing of them is in the file");
});

for (const hasRoomAgain of [true, false]) {
  Deno.test(
    `stdout in a file on a full disk, ${
      hasRoomAgain ? "which has room again" : "which stays full"
    }: rows are whole, and all others counted`,
    async () => {
      await using traffic = startTraffic();
      await using folder = await makeTempFolder();
      await using _disk = await mountSmallDisk(folder.path, 64 * 1024);
      const path = join(folder.path, "rows.jsonl");
      await using tool = await startTcpspan([], {
        config: `
capture: { remote_ports: [${traffic.port}] }
exporters: { stdout: { format: json } }
`,
        inside: ["sh", "-c", `exec "$@" >'${path}'`, "sh"],
      });
      await traffic.make(1);
      await until("the first row", () => rowsIn(path).length === 1);
      {
        await using _full = hasRoomAgain ? await fill(folder.path) : await fillForGood(folder.path);
        await traffic.make(20);
        await tool.stderr.waitForLines(1, (line) => line.includes("No space left on device"));
        await traffic.make(20); // after the row that is cut off already
        await sleep(300); // longer than it takes from the kernel to the exporter
        assert.doesNotMatch(Deno.readTextFileSync(path), /\n$/, "a row is cut off");
      }
      await traffic.make(1);
      const { status, stderr } = await tool.stop("SIGTERM");
      const rows = rowsIn(path);
      const ids = rows.map((row): string => JSON.parse(row)["span_id"]);
      assert.equal(status, 0);
      assert.equal(new Set(ids).size, rows.length);
      assert.ok(rows.length > 1, "of the batch that was written in part, rows are there");
      const lost = traffic.made - rows.length;
      assert.match(
        stderr,
        new RegExp(`^tcpspan: lost ${lost} sessions: stdout: not delivered$`, "m"),
      );
      if (hasRoomAgain) assert.match(Deno.readTextFileSync(path), /\n$/, "all rows are whole");
    },
  );
}

/** Fills the disk to the last page: the next write may fit in part. Disposing makes room again. */
async function fill(folder: string): Promise<AsyncDisposable> {
  const ballast = join(folder, "ballast");
  await Deno.writeFile(ballast, new Uint8Array(2 ** 20)).catch(() => {});
  return { [Symbol.asyncDispose]: () => Deno.remove(ballast) };
}

async function fillForGood(folder: string): Promise<AsyncDisposable> {
  await fill(folder);
  return { [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** The complete lines. */
function rowsIn(path: string): string[] {
  return Deno.readTextFileSync(path).split("\n").slice(0, -1);
}

function spansIn(path: string): number {
  return parseOtlpJsonLines(Deno.readTextFileSync(path)).length;
}

/** The file exporter with a real Collector as its reader, and on a full disk. */
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileExporter } from "../../exporters/file/file.ts";
import { fileSettings } from "../../exporters/file/settings.ts";
import type { Session } from "../../src/session/session.ts";
import { startCollector } from "../backends/collector.ts";
import { parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { makeContext } from "../exporter_context.ts";
import { makeBatch } from "../fixtures.ts";
import { toTestSpan } from "../otlp_spans.ts";
import { mountSmallDisk } from "../small_disk.ts";
import { makeTempFolder } from "../temp_folder.ts";

const NEVER = new AbortController().signal;

function makeSessions(count: number, from = 1) {
  return makeBatch(...Array.from({ length: count }, (_, i) => ({ owner_pid: from + i })));
}

function open(settings: object, folder: string) {
  return fileExporter.open(fileSettings.parse(settings), makeContext("file", folder, toNoisySpan));
}

/** Longer than the start of a file by which the Collector identifies it. */
const RESOURCE = resourceFromAttributes({ "process.command_line": "java ".repeat(300) });

/** A span that does not compress well. */
function toNoisySpan(session: Session): ReadableSpan {
  const span = toTestSpan(session);
  return {
    ...span,
    attributes: { ...span.attributes, noise: crypto.randomUUID() },
    resource: RESOURCE,
  };
}

Deno.test("the Collector reads every span as it was written", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const exporter = await open({ path }, folder.path);
  await exporter.export(makeSessions(20), NEVER);
  await exporter.shutdown();

  await using collector = await startCollector({ files: [path] });
  const received = await collector.waitForSpans(20);
  assert.deepEqual(received, parseOtlpJsonLines(await Deno.readTextFile(path)));
});

Deno.test("the Collector follows the file through rotations and misses nothing", async () => {
  await using folder = await makeTempFolder();
  await using collector = await startCollector({ files: [join(folder.path, "spans*.jsonl")] });
  const rotation = { max_megabytes: 1, max_backups: 0 };
  const exporter = await open({ path: "spans.jsonl", rotation }, folder.path);
  const expected: string[] = [];
  for (let from = 1; from < 10_000; from += 500) {
    const batch = makeSessions(500, from);
    assert.deepEqual(await exporter.export(batch, NEVER), { status: "success" });
    expected.push(...Array.from(batch, (session) => toTestSpan(session).spanContext().spanId));
    await sleep(20); // so that some files are read before their rotation, and some after it
  }
  await exporter.shutdown();

  const files = await Array.fromAsync(Deno.readDir(folder.path));
  assert.ok(files.length > 5, `${files.length} files`);
  const received = await collector.waitForSpans(expected.length);
  assert.deepEqual(received.map(({ spanId }) => spanId).sort(), expected.sort());
});

for (const compression of ["none", "gzip", "zstd"]) {
  Deno.test(`a full disk is a failure to retry and leaves no torn end (${compression})`, async () => {
    await using folder = await makeTempFolder();
    await using _disk = await mountSmallDisk(folder.path, 512 * 1024);
    const path = join(folder.path, "spans.jsonl");
    const ballast = join(folder.path, "ballast");
    const exporter = await open({ path, compression }, folder.path);
    await exporter.export(makeSessions(1, 1), NEVER);
    const { size } = await Deno.stat(path);

    await Deno.writeFile(ballast, new Uint8Array(500 * 1024)); // the rest: less than the next write
    const batch = makeSessions(2000, 2);
    for (let tries = 0; tries < 2; tries++) {
      assert.deepEqual(await exporter.export(batch, NEVER), {
        status: "retryable",
        reason: `cannot write ${path}: No space left on device`,
      });
      assert.equal((await Deno.stat(path)).size, size);
    }
    await Deno.remove(ballast);
    const few = batch.slice(0, 200);
    assert.deepEqual(await exporter.export(few, NEVER), { status: "success" });
    await exporter.shutdown();

    const cat = { none: "cat", gzip: "zcat", zstd: "zstdcat" }[compression] ?? "";
    const { stdout } = await new Deno.Command("sh", { args: ["-c", `${cat} <"$1"`, "sh", path] })
      .output();
    assert.equal(parseOtlpJsonLines(new TextDecoder().decode(stdout)).length, 1 + few.length);
  });
}

import { resourceFromAttributes } from "@opentelemetry/resources";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { UsageError } from "../../src/messages/errors.ts";
import type { Exporter } from "../../src/exporter.ts";
import { encodeLines, LINE_LIMIT } from "../../exporters/file/lines.ts";
import { RotatingFile, type Rotation } from "../../exporters/file/rotation.ts";
import { fileExporter } from "../../exporters/file/file.ts";
import { fileSettings } from "../../exporters/file/settings.ts";
import { parseOtlpJsonLines } from "../backends/otlp_json.ts";
import { makeContext, type TestContext } from "../exporter_context.ts";
import { makeBatch } from "../fixtures.ts";
import { toTestSpan } from "../otlp_spans.ts";
import { makeTempFolder } from "../temp_folder.ts";

const NEVER = new AbortController().signal;
const FOREVER: Rotation = { maxBytes: Infinity, maxBackups: 0, maxDays: 0 };
const BACKUP = /^spans-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.jsonl$/;
const HOUR_MS = 3_600_000;

/** Sessions of `count` processes, the first of which has the pid `from`. */
function makeSessions(count: number, from = 1) {
  return makeBatch(...Array.from({ length: count }, (_, i) => ({ owner_pid: from + i })));
}

function spanIds(batch: ReturnType<typeof makeBatch>): string[] {
  return Array.from(batch, (session) => toTestSpan(session).spanContext().spanId);
}

function open(settings: object, context: TestContext): Promise<Exporter> {
  return fileExporter.open(fileSettings.parse(settings), context);
}

async function listFolder(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

/** The standard output of a command that must succeed. */
async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("a line is one TracesData with what the official serializer writes", () => {
  const batch = makeSessions(5);
  const [line, ...others] = encodeLines(batch, toTestSpan);
  assert.deepEqual(others, []);
  const text = new TextDecoder().decode(line);
  assert.equal(text.indexOf("\n"), text.length - 1);
  const official = JsonTraceSerializer.serializeRequest(Array.from(batch, toTestSpan));
  assert.deepEqual(JSON.parse(text), JSON.parse(new TextDecoder().decode(official)));
});

Deno.test("in a line scopeSpans comes before resource, whatever the resource holds", () => {
  const resource = resourceFromAttributes(
    { "service.name": 'x","scopeSpans":[', '","scopeSpans":[': '{"resource":' },
    { schemaUrl: 'https://example.com/"resource"' },
  );
  const [line] = encodeLines(makeSessions(1), (session) => ({ ...toTestSpan(session), resource }));
  const text = new TextDecoder().decode(line);
  const [resourceSpans] = JSON.parse(text).resourceSpans;
  assert.deepEqual(Object.keys(resourceSpans), ["scopeSpans", "schemaUrl", "resource"]);
  assert.deepEqual(parseOtlpJsonLines(text)[0]?.resource, resource.attributes);
});

Deno.test("the file holds each session's span", async () => {
  await using folder = await makeTempFolder();
  const exporter = await open({ path: "spans.jsonl" }, makeContext("file", folder.path));
  const batch = makeBatch({ owner_pid: 2 }, { owner_pid: 3 });
  assert.deepEqual(await exporter.export(batch, NEVER), { status: "success" });
  await exporter.shutdown();

  const spans = parseOtlpJsonLines(await Deno.readTextFile(join(folder.path, "spans.jsonl")));
  const expected = Array.from(batch, toTestSpan);
  assert.equal(spans.length, expected.length);
  for (const [index, span] of spans.entries()) {
    const wanted = expected[index];
    assert.ok(wanted);
    const { traceId, spanId } = wanted.spanContext();
    const [seconds, ns] = wanted.startTime;
    assert.deepEqual([span.traceId, span.spanId], [traceId, spanId]);
    assert.equal(span.parentSpanId, wanted.parentSpanContext?.spanId);
    assert.equal(span.name, wanted.name);
    assert.equal(span.kind, wanted.kind + 1);
    assert.equal(span.startNs, BigInt(seconds) * 1_000_000_000n + BigInt(ns));
    assert.deepEqual(span.status, {
      code: wanted.status.code,
      message: wanted.status.message ?? "",
    });
    assert.equal(span.attributes["test.text"], wanted.attributes["test.text"]);
    assert.equal(span.attributes["test.large"], BigInt(Number.MAX_SAFE_INTEGER));
    assert.deepEqual(span.events.map(({ name }) => name), wanted.events.map(({ name }) => name));
    assert.equal(span.resource["service.name"], wanted.resource.attributes["service.name"]);
    assert.deepEqual(span.scope, wanted.instrumentationScope);
  }
});

Deno.test("every line is under 1 MiB, and no session is lost if a batch is split", () => {
  const batch = makeSessions(1000);
  const padding = "x".repeat(10_000);
  const lines = [...encodeLines(batch, (session) => {
    const span = toTestSpan(session);
    return { ...span, attributes: { ...span.attributes, padding } };
  })];
  assert.ok(lines.length >= 10);
  for (const line of lines) assert.ok(line.length < LINE_LIMIT, `${line.length} bytes`);
  const text = lines.map((line) => new TextDecoder().decode(line)).join("");
  const found = parseOtlpJsonLines(text).map(({ spanId }) => spanId);
  assert.deepEqual(found.sort(), spanIds(batch).sort());
});

Deno.test("a session too large for a line gets its own line", () => {
  const padding = "x".repeat(LINE_LIMIT);
  const lines = [...encodeLines(makeSessions(2), (session) => {
    const span = toTestSpan(session);
    return { ...span, attributes: { ...span.attributes, padding } };
  })];
  assert.equal(lines.length, 2);
});

/** A umask that forbids nothing, until it is disposed of: files have the modes that are set. */
function permissiveUmask(): Disposable {
  const before = Deno.umask(0);
  return { [Symbol.dispose]: () => void Deno.umask(before) };
}

Deno.test("only its owner can read the new file, whatever the umask", async () => {
  using _umask = permissiveUmask();
  await using folder = await makeTempFolder();
  const exporter = await open({ path: "spans.jsonl" }, makeContext("file", folder.path));
  await exporter.shutdown();
  const { mode, size } = await Deno.stat(join(folder.path, "spans.jsonl"));
  assert.equal((mode ?? 0) & 0o777, 0o600);
  assert.equal(size, 0);
});

for (const { append, kept } of [{ append: true, kept: 1 }, { append: false, kept: 0 }]) {
  Deno.test(`append: ${append} ${kept ? "keeps" : "drops"} what the file held`, async () => {
    await using folder = await makeTempFolder();
    for (let run = 0; run < 2; run++) {
      const exporter = await open({ path: "s.jsonl", append }, makeContext("file", folder.path));
      await exporter.export(makeSessions(1), NEVER);
      await exporter.shutdown();
    }
    const spans = parseOtlpJsonLines(await Deno.readTextFile(join(folder.path, "s.jsonl")));
    assert.equal(spans.length, kept + 1);
  });
}

for (
  const { compression, commands } of [
    { compression: "gzip", commands: [["zcat"], ["gzip", "--test"]] },
    { compression: "zstd", commands: [["zstdcat"], ["zstd", "--test", "--quiet"]] },
  ]
) {
  Deno.test(`${compression}: the usual tools read the file, also while it is written`, async () => {
    await using folder = await makeTempFolder();
    const path = join(folder.path, "spans.jsonl");
    const context = makeContext("file", folder.path);
    const batches = [makeSessions(3, 1), makeSessions(300, 10), makeSessions(3, 1000)];
    const expected: string[] = [];
    for (const batch of batches) {
      const exporter = await open({ path, compression }, context);
      for (const half of [batch.slice(0, 2), batch.slice(2, batch.length)]) {
        assert.deepEqual(await exporter.export(half, NEVER), { status: "success" });
        expected.push(...spanIds(half));
        // some versions of zcat need a suffix
        const [cat = [], test = []] = commands;
        const text = await run("sh", "-c", `${cat.join(" ")} <"$1"`, "sh", path);
        const found = parseOtlpJsonLines(text).map(({ spanId }) => spanId);
        assert.deepEqual(found.sort(), expected.toSorted());
        await run("sh", "-c", `${test.join(" ")} <"$1"`, "sh", path);
      }
      await exporter.shutdown();
    }
  });
}

Deno.test("rotation by size renames files like lumberjack and loses nothing", async () => {
  using _umask = permissiveUmask();
  await using folder = await makeTempFolder();
  const exporter = await open(
    { path: "spans.jsonl", rotation: { max_megabytes: 1, max_backups: 0 } },
    makeContext("file", folder.path),
  );
  const batch = makeSessions(4000);
  assert.deepEqual(await exporter.export(batch.slice(0, 3000), NEVER), { status: "success" });
  assert.deepEqual(await exporter.export(batch.slice(3000, 4000), NEVER), { status: "success" });
  await exporter.shutdown();

  const names = await listFolder(folder.path);
  assert.equal(names.pop(), "spans.jsonl");
  assert.ok(names.length >= 2);
  for (const name of names) assert.match(name, BACKUP);
  const found: string[] = [];
  for (const name of [...names, "spans.jsonl"]) {
    const path = join(folder.path, name);
    const { size, mode } = await Deno.stat(path);
    assert.ok(size <= LINE_LIMIT, `${name}: ${size} bytes`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    found.push(...parseOtlpJsonLines(await Deno.readTextFile(path)).map(({ spanId }) => spanId));
  }
  assert.deepEqual(found.sort(), spanIds(batch).sort());
});

/** Writes `lines` to `spans.jsonl` in `folder`, each to its own file. */
async function rotate(folder: string, rotation: Partial<Rotation>, lines: string[]) {
  const path = join(folder, "spans.jsonl");
  const warnings: string[] = [];
  const file = await RotatingFile.open(path, {
    append: true,
    rotation: { ...FOREVER, maxBytes: 1, ...rotation },
    text: true,
    warn: (message) => warnings.push(message),
  });
  for (const line of lines) await file.write(new TextEncoder().encode(line));
  file.close();
  assert.deepEqual(warnings, []);
}

/** What the files of `folder` hold, the oldest first, the current one last. */
async function contents(folder: string): Promise<string[]> {
  const names = await listFolder(folder);
  return Promise.all(names.map((name) => Deno.readTextFile(join(folder, name))));
}

Deno.test("files rotated in the same millisecond do not overwrite each other", async () => {
  await using folder = await makeTempFolder();
  const lines = Array.from({ length: 20 }, (_, i) => `${i}\n`);
  await rotate(folder.path, {}, lines);
  assert.deepEqual(await contents(folder.path), lines);
});

Deno.test("max_backups keeps the newest", async () => {
  await using folder = await makeTempFolder();
  await rotate(folder.path, { maxBackups: 2 }, ["1\n", "2\n", "3\n", "4\n", "5\n"]);
  assert.deepEqual(await contents(folder.path), ["3\n", "4\n", "5\n"]);
});

Deno.test("max_backups keeps the newest after the clock was set back", async () => {
  await using folder = await makeTempFolder();
  const stamp = new Date(Date.now() + HOUR_MS).toISOString().slice(0, -1).replaceAll(":", "-");
  await Deno.writeTextFile(join(folder.path, `spans-${stamp}.jsonl`), "1\n");
  await rotate(folder.path, { maxBackups: 1 }, ["2\n", "3\n"]);
  assert.deepEqual(await contents(folder.path), ["2\n", "3\n"]);
});

/** Each makes `spans.jsonl` in a folder a link to `other/data.jsonl`, which is a file or nothing. */
const LINKS: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  "a link": (folder) => Deno.symlink(join(folder, "other/data.jsonl"), join(folder, "spans.jsonl")),
  "a relative link": (folder) => Deno.symlink("other/data.jsonl", join(folder, "spans.jsonl")),
  "a link to a link": async (folder) => {
    await Deno.symlink("links/second.jsonl", join(folder, "spans.jsonl"));
    await Deno.mkdir(join(folder, "links"));
    await Deno.symlink("../other/data.jsonl", join(folder, "links/second.jsonl"));
  },
  "a link through a folder that is a link": async (folder) => {
    await Deno.mkdir(join(folder, "other/below"));
    await Deno.symlink("other/below", join(folder, "way"));
    await Deno.symlink("way/../data.jsonl", join(folder, "spans.jsonl")); // .. of other/below
  },
};

for (const [name, link] of Object.entries(LINKS)) {
  for (const exists of [true, false]) {
    Deno.test(`${name} to ${exists ? "a file" : "nothing"} stays, and what it leads to is rotated and pruned`, async () => {
      await using folder = await makeTempFolder();
      const other = join(folder.path, "other");
      const path = join(folder.path, "spans.jsonl");
      await Deno.mkdir(other);
      await link(folder.path);
      const before = await listFolder(folder.path);
      const text = await Deno.readLink(path);
      if (exists) await Deno.writeTextFile(join(other, "data.jsonl"), "0\n");
      await rotate(folder.path, { maxBackups: 2 }, ["1\n", "2\n", "3\n", "4\n"]);
      assert.equal(await Deno.readLink(path), text);
      assert.deepEqual(await listFolder(folder.path), before);
      const files = (await listFolder(other)).filter((name) => name !== "below");
      assert.equal(files.pop(), "data.jsonl");
      for (const file of files) assert.match(file, /^data-\d{4}-\d\d-\d\dT[\d.-]{12}\.jsonl$/);
      assert.deepEqual(
        await Promise.all(
          [...files, "data.jsonl"].map((file) => Deno.readTextFile(join(other, file))),
        ),
        ["2\n", "3\n", "4\n"],
      );
    });
  }
}

Deno.test("a link that leads elsewhere from now on: the next session goes there, and so does rotation", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const at = (name: string) => join(folder.path, name, "data.jsonl");
  for (const name of ["first", "second"]) await Deno.mkdir(join(folder.path, name));
  await Deno.symlink(at("first"), path);
  const file = await RotatingFile.open(path, {
    append: true,
    rotation: { ...FOREVER, maxBytes: 5 },
    text: true,
    warn: assert.fail,
  });
  const write = (text: string) => file.write(new TextEncoder().encode(text));
  await write("1\n");
  await Deno.symlink(at("second"), `${path}.new`);
  await Deno.rename(`${path}.new`, path);
  await write("2\n");
  await write("3\n");
  await write("4\n"); // one too many for the file
  file.close();
  assert.equal(await Deno.readTextFile(at("first")), "1\n");
  assert.equal(await Deno.readTextFile(at("second")), "4\n");
  assert.deepEqual(await contents(join(folder.path, "first")), ["1\n"]);
  assert.deepEqual(await contents(join(folder.path, "second")), ["2\n3\n", "4\n"]);
});

Deno.test("doctor's probe of a link to nothing makes nothing, and finds a missing folder", async () => {
  await using folder = await makeTempFolder();
  const context = makeContext("file", folder.path);
  const probe = (path: string) => fileExporter.probe?.(fileSettings.parse({ path }), context);
  await Deno.mkdir(join(folder.path, "other"));
  await Deno.symlink("other/data.jsonl", join(folder.path, "spans.jsonl"));
  await probe("spans.jsonl");
  assert.deepEqual(await listFolder(folder.path), ["other", "spans.jsonl"]);
  assert.deepEqual(await listFolder(join(folder.path, "other")), []);
  await Deno.remove(join(folder.path, "other"));
  await assert.rejects(async () => await probe("spans.jsonl"), {
    message: `exporters.file.path: cannot write ${folder.path}/spans.jsonl: ` +
      `there is no folder ${folder.path}/other: create it, or name another`,
  });
});

Deno.test("max_days removes old files at the start, but no foreign ones", async () => {
  await using folder = await makeTempFolder();
  const stamp = (hours: number) =>
    new Date(Date.now() - hours * HOUR_MS).toISOString().slice(0, -1).replaceAll(":", "-");
  const kept = [
    `spans-${stamp(47)}.jsonl`,
    `other-${stamp(49)}.jsonl`,
    `spans-${stamp(49)}.jsonl.gz`,
    `spans-more-${stamp(49)}.jsonl`,
    "spans-2001-01-01.jsonl",
    "spans-2001-99-99T99-99-99.999.jsonl",
  ];
  for (const name of [...kept, `spans-${stamp(49)}.jsonl`]) {
    await Deno.writeTextFile(join(folder.path, name), "");
  }
  await rotate(folder.path, { maxDays: 2 }, []);
  assert.deepEqual(await listFolder(folder.path), [...kept, "spans.jsonl"].sort());
});

Deno.test("a line that a crash cut off does not spoil the next", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  await Deno.writeTextFile(path, '{"resourceSpans":[{"scope');
  const exporter = await open({ path }, makeContext("file", folder.path));
  await exporter.export(makeSessions(1), NEVER);
  await exporter.export(makeSessions(1), NEVER);
  await exporter.shutdown();
  const [torn, ...lines] = (await Deno.readTextFile(path)).split("\n");
  assert.equal(torn, '{"resourceSpans":[{"scope');
  assert.equal(parseOtlpJsonLines(lines.join("\n")).length, 2);
});

Deno.test("rotation leaves a cut-off line in the old file", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  await Deno.writeTextFile(path, "x".repeat(90));
  const file = await RotatingFile.open(path, {
    append: true,
    rotation: { maxBytes: 100, maxBackups: 5, maxDays: 0 },
    text: true,
    warn: (message) => assert.fail(message),
  });
  await file.write(new TextEncoder().encode("a line of 20 bytes.\n"));
  file.close();
  assert.equal(await Deno.readTextFile(path), "a line of 20 bytes.\n");
});

/** What a write that fails half-way leaves: `a` and `b` are written before it, `d` after it. */
const HALF_WRITTEN: readonly {
  readonly name: string;
  /** What another program does before it fails. */
  readonly meanwhile: (path: string) => void;
  readonly left: string;
}[] = [
  { name: "none of its bytes", meanwhile: () => {}, left: "a\nb\nd\n" },
  {
    name: "what another program has written since",
    meanwhile: (path) => Deno.writeTextFileSync(path, "other\n", { append: true }),
    left: "a\nb\nccother\n\nd\n",
  },
];

for (const { name, meanwhile, left } of HALF_WRITTEN) {
  Deno.test(`a write that fails half-way leaves ${name}`, async () => {
    await using folder = await makeTempFolder();
    const path = join(folder.path, "spans.jsonl");
    const file = await RotatingFile.open(path, {
      append: true,
      rotation: FOREVER,
      text: true,
      warn: (message) => assert.fail(message),
    });
    const write = (text: string) => file.write(new TextEncoder().encode(text));
    await write("a\nb\n");
    {
      using _disk = fullDisk(2, () => meanwhile(path));
      await assert.rejects(write("cccc\n"), /^Error: No space left on device/);
    }
    await write("d\n");
    file.close();
    assert.equal(await Deno.readTextFile(path), left);
  });
}

/** Lets files take `room` more bytes, then calls `meanwhile`, and then lets them take nothing. */
function fullDisk(room: number, meanwhile: () => void): Disposable {
  const { prototype } = Deno.FsFile;
  const { write } = prototype;
  prototype.write = async function (bytes) {
    if (room === 0) throw new Error("No space left on device (os error 28)");
    const written = await write.call(this, bytes.subarray(0, room));
    room -= written;
    if (room === 0) meanwhile();
    return written;
  };
  return { [Symbol.dispose]: () => void (prototype.write = write) };
}

interface Interference {
  readonly name: string;
  /** What another program does to the file between two exports of one session each. */
  readonly act: (path: string) => unknown;
  /** Sessions in the file at the path after that. */
  readonly left: number;
}

const INTERFERENCES: readonly Interference[] = [
  { name: "renames it", act: (path) => Deno.rename(path, `${path}.1`), left: 1 },
  { name: "removes it", act: (path) => Deno.remove(path), left: 1 },
  {
    name: "puts another in its place",
    act: async (path) => {
      await Deno.rename(path, `${path}.1`);
      await Deno.writeTextFile(path, "");
    },
    left: 1,
  },
  {
    name: "copies and truncates it",
    act: async (path) => {
      await Deno.copyFile(path, `${path}.1`);
      await Deno.truncate(path);
    },
    left: 1,
  },
  {
    name: "moves its folder and makes a new one",
    act: async (path) => {
      await Deno.rename(dirname(path), `${dirname(path)}.old`);
      await Deno.mkdir(dirname(path));
    },
    left: 1,
  },
  { name: "leaves it alone", act: () => {}, left: 2 },
];

for (const compression of ["none", "gzip"]) {
  for (const { name, act, left } of INTERFERENCES) {
    Deno.test(`the file at the path gets the next session if a program ${name} (${compression})`, async () => {
      await using folder = await makeTempFolder();
      const path = join(folder.path, "spans", "spans.jsonl");
      await Deno.mkdir(dirname(path));
      const exporter = await open({ path, compression }, makeContext("file", folder.path));
      await exporter.export(makeSessions(1, 1), NEVER);
      await act(path);
      assert.deepEqual(await exporter.export(makeSessions(1, 2), NEVER), { status: "success" });
      await exporter.shutdown();
      const text = await run(compression === "gzip" ? "zcat" : "cat", path);
      assert.equal(parseOtlpJsonLines(text).length, left);
    });
  }
}

Deno.test("after a rename only its owner can read the new file, and rotation counts it from zero", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const file = await RotatingFile.open(path, {
    append: true,
    rotation: { maxBytes: 50, maxBackups: 0, maxDays: 0 },
    text: true,
    warn: (message) => assert.fail(message),
  });
  const line = new TextEncoder().encode("a line of 20 bytes.\n");
  for (const act of [() => Deno.rename(path, `${path}.1`), () => Deno.truncate(path)]) {
    await file.write(line);
    await file.write(line);
    await act();
    await file.write(line);
    await file.write(line);
    assert.equal((await Deno.stat(path)).size, 40, "nothing was put aside");
    assert.equal((await Deno.stat(path)).mode, 0o100600);
    await Deno.truncate(path);
  }
  file.close();
  assert.deepEqual(await listFolder(folder.path), ["spans.jsonl", "spans.jsonl.1"]);
});

Deno.test("a file that was cut off and then emptied starts with the next line", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  await Deno.writeTextFile(path, '{"resourceSpans":[{"scope');
  const exporter = await open({ path }, makeContext("file", folder.path));
  await Deno.truncate(path);
  await exporter.export(makeSessions(1), NEVER);
  await exporter.shutdown();
  assert.match(await Deno.readTextFile(path), /^\{.*\}\n$/);
});

Deno.test("lookAnew() starts a new file at once if the old one was renamed", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const exporter = await open({ path }, makeContext("file", folder.path));
  await exporter.export(makeSessions(1, 1), NEVER);
  await Deno.rename(path, `${path}.1`);
  exporter.lookAnew?.();
  assert.deepEqual(await exporter.export(makeSessions(0), NEVER), { status: "success" });
  assert.equal((await Deno.stat(path)).size, 0, "no session made it");
  await exporter.shutdown();
});

Deno.test("lookAnew() during exports loses nothing and leaves no descriptor open", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans.jsonl");
  const exporter = await open({ path }, makeContext("file", folder.path));
  const descriptors = () => Array.from(Deno.readDirSync("/proc/self/fd")).length;
  const before = descriptors();
  for (let i = 0; i < 20; i++) {
    const exported = exporter.export(makeSessions(10, i * 10 + 1), NEVER);
    exporter.lookAnew?.();
    await Deno.rename(path, `${path}.${i}`).catch(() => {});
    exporter.lookAnew?.();
    await exported;
  }
  await exporter.export(makeSessions(0), NEVER);
  assert.equal(descriptors(), before);
  await exporter.shutdown();
  let spans = 0;
  for (const name of await listFolder(folder.path)) {
    spans += parseOtlpJsonLines(await Deno.readTextFile(join(folder.path, name))).length;
  }
  assert.equal(spans, 200);
});

Deno.test("a removed folder is a failure to retry, which says what to do", async () => {
  await using folder = await makeTempFolder();
  const path = join(folder.path, "spans", "spans.jsonl");
  await Deno.mkdir(dirname(path));
  const exporter = await open({ path }, makeContext("file", folder.path));
  await Deno.remove(dirname(path), { recursive: true });
  for (let tries = 0; tries < 2; tries++) {
    assert.deepEqual(await exporter.export(makeSessions(1), NEVER), {
      status: "retryable",
      reason: `cannot write ${path}: there is no folder ${dirname(path)} any more: create it`,
    });
  }
  await Deno.mkdir(dirname(path));
  assert.deepEqual(await exporter.export(makeSessions(1), NEVER), { status: "success" });
  await exporter.shutdown();
  assert.equal(parseOtlpJsonLines(await Deno.readTextFile(path)).length, 1);
});

Deno.test("a path that cannot be written is an error that says what to do", async (t) => {
  await using folder = await makeTempFolder();
  await Deno.mkdir(join(folder.path, "folder"));
  await Deno.writeTextFile(join(folder.path, "plain"), "");
  for (
    const [name, target] of Object.entries({
      device: "/dev/null",
      dangling: "gone/spans.jsonl",
      to_folder: "folder",
      circle: "circle",
      output: "/dev/stdout",
    })
  ) await Deno.symlink(target, join(folder.path, name));
  const BAD_PATHS = [
    {
      path: "missing/spans.jsonl",
      detail: "there is no folder FOLDER/missing: create it, or name another",
    },
    { path: "folder", detail: "it is a directory: name a file in it" },
    { path: "plain/spans.jsonl", detail: "FOLDER/plain is not a directory: name another" },
    { path: "/dev/null", detail: "it is not a regular file: name another" },
    { path: "device", detail: "it is not a regular file: name another" },
    {
      path: "dangling",
      detail: "there is no folder FOLDER/gone: create it, or name another",
    },
    { path: "to_folder", detail: "it is a directory: name a file in it" },
    {
      path: "circle",
      detail: "Too many levels of symbolic links: name a file that can be written, or change who " +
        "may write it",
    },
    ...["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "output"].map((path) => ({
      path,
      detail: "it is an open file of a process: name another, or use a stdout exporter",
    })),
    {
      path: "/sys/spans.jsonl", // even root is refused
      detail: "Permission denied: name a file that can be written, or change who may write it",
    },
    {
      path: "/proc/spans.jsonl",
      detail:
        "No such file or directory: name a file that can be written, or change who may write it",
    },
  ];
  for (const { path, detail } of BAD_PATHS) {
    await t.step(path, async () => {
      const full = path.startsWith("/") ? path : join(folder.path, path);
      await assert.rejects(
        open({ path }, makeContext("file/audit", folder.path)),
        (error) => {
          assert.ok(error instanceof UsageError);
          assert.equal(
            error.message.replace("Read-only file system", "Permission denied"), // in containers
            `exporters.file/audit.path: cannot write ${full}: ` +
              detail.replace("FOLDER", folder.path),
          );
          return true;
        },
      );
    });
  }
});

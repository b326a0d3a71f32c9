/** Imports go down, from room to room, as CONTRIBUTING.md says. */
import assert from "node:assert/strict";
import { listFiles, readFile } from "./files.ts";
import { faultsOf, type Import, importsOf } from "./imports.ts";

const OURS = /^(src\/|exporters\/|ffi\/|examples\/|mod\.ts$).*(?<=\.ts)$|^mod\.ts$/;

Deno.test("each import goes down, and none is part of a circle", () => {
  const files = listFiles().filter((file) => OURS.test(file));
  const imports = files.flatMap((file) => importsOf(file, readFile(file)));
  assert.ok(imports.length > files.length, "imports were found");
  assert.deepEqual(faultsOf(files, imports), []);
});

Deno.test("examples import only mod.ts, as other programs do", () => {
  const files = listFiles("examples").filter((file) => file.endsWith(".ts"));
  const imports = files.flatMap((file) => importsOf(file, readFile(file)));
  assert.ok(imports.length >= files.length && files.length >= 3);
  assert.deepEqual(imports.filter(({ to }) => to !== "mod.ts"), []);
});

Deno.test("importsOf() finds imports and exports of values and types, static and dynamic", () => {
  const text = `
/** @example
 * import { no } from "./example.ts";
 */
// import "./commented_out.ts";
import assert from "node:assert/strict";
import { a } from "commander";
import "./effect.ts";
import config from "../../deno.json" with { type: "json" };
import type { B } from "../b.ts";
import {
  c,
} from "./c.ts";
export { d } from "./d.ts";
export * from "./e.ts";
export const from = "./no.ts";
type F = typeof import("../f.ts");
const { g } = await import(
  "./g.ts"
);
`;
  assert.deepEqual(importsOf("src/room/file.ts", text).map(({ to }) => to), [
    "src/room/effect.ts",
    "src/b.ts",
    "src/room/c.ts",
    "src/room/d.ts",
    "src/room/e.ts",
    "src/f.ts",
    "src/room/g.ts",
  ]);
});

const FAULTS: readonly (readonly [what: string, imports: readonly Import[], fault: string])[] = [
  [
    "an import of a room above",
    [{ from: "src/session/a.ts", to: "src/span/b.ts" }],
    "src/session/a.ts imports src/span/b.ts: src/session is below src/span",
  ],
  [
    "an import of a room on the same line",
    [{ from: "src/net/a.ts", to: "src/bytes/b.ts" }],
    "src/net/a.ts imports src/bytes/b.ts: src/net and src/bytes know nothing of each other",
  ],
  [
    "an import of exporters/ from src/",
    [{ from: "src/run/a.ts", to: "exporters/stdout/b.ts" }],
    "src/run/a.ts imports exporters/stdout/b.ts: src/run is below exporters",
  ],
  [
    "an import of src/ from ffi/",
    [{ from: "ffi/a.ts", to: "src/version.ts" }],
    "ffi/a.ts imports src/version.ts: ffi is below src/version.ts",
  ],
  [
    "an import of what is not for users",
    [{ from: "src/host/a.ts", to: "test/fixtures.ts" }],
    "src/host/a.ts imports test/fixtures.ts: test is no room",
  ],
  [
    "a circle",
    [
      { from: "src/run/a.ts", to: "src/queue/b.ts" },
      { from: "src/queue/b.ts", to: "src/queue/c.ts" },
      { from: "src/queue/c.ts", to: "src/queue/spool/d.ts" },
      { from: "src/queue/spool/d.ts", to: "src/queue/b.ts" },
    ],
    "src/queue/b.ts imports src/queue/c.ts imports src/queue/spool/d.ts imports src/queue/b.ts: " +
    "a circle",
  ],
];

for (const [what, imports, fault] of FAULTS) {
  Deno.test(`${what} is a fault`, () => assert.deepEqual(faultsOf([], imports), [fault]));
}

Deno.test("a folder without a place in the order is a fault, and so is a seventh file in src/", () => {
  const atRoot = ["exporter", "abort", "version", "a", "b", "c"].map((name) => `src/${name}.ts`);
  const isAbout = (files: readonly string[]) =>
    faultsOf(files, []).map((fault) => /^\S+/.exec(fault)?.[0]);
  assert.deepEqual(isAbout(["src/attic/box.ts", "src/span/span.ts"]), ["src/attic"]);
  assert.deepEqual(isAbout(atRoot), ["src/a.ts", "src/b.ts", "src/c.ts"]);
  assert.deepEqual(isAbout([...atRoot, "src/abort.ts"]).at(-1), "src/");
});

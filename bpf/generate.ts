/**
 * Builds the kernel program and, from the object's BTF, the record's layout for TypeScript.
 *
 *     deno task generate           # writes bpf/tcpspan.bpf.o and src/session/record_layout.ts
 *     deno task generate --check   # compares instead, and fails on a difference
 */
import { createHash } from "node:crypto";
import { BpfObject } from "../ffi/bpf_object.ts";
import type { Btf } from "../ffi/btf.ts";

const OBJECT = new URL("tcpspan.bpf.o", import.meta.url);
const LAYOUT = new URL("../src/session/record_layout.ts", import.meta.url);

async function build(): Promise<Uint8Array<ArrayBuffer>> {
  const output = await Deno.makeTempFile({ suffix: ".bpf.o" });
  try {
    const script = new URL("build.sh", import.meta.url).pathname;
    const { success } = await new Deno.Command(script, { args: [output] }).spawn().status;
    if (!success) Deno.exit(1);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(output);
  }
}

function constant(name: string, doc: string, entries: [string, number][]): string {
  const lines = entries.map(([key, value]) => `  ${key}: ${value},`);
  return `/** ${doc} */\nexport const ${name} = {\n${lines.join("\n")}\n} as const;\n`;
}

function text(name: string, doc: string, value: string): string {
  const line = `export const ${name} = "${value}";`;
  const lines = line.length <= 100 ? line : line.replace(" = ", " =\n  "); // as deno fmt writes it
  return `/** ${doc} */\n${lines}\n`;
}

/** A structure's members, those of structures in it under `outer_inner`. */
function members(
  btf: Btf,
  struct: string,
  prefix = "",
  base = 0,
): { name: string; offset: number; size: number }[] {
  return btf.structMembers(struct).flatMap(({ name, offset, size, struct }) => {
    if (/^_?pad/.test(name)) return [];
    return struct === undefined
      ? [{ name: prefix + name, offset: base + offset, size }]
      : members(btf, struct, `${prefix}${name}_`, base + offset);
  });
}

function offsets(btf: Btf, struct: string): [string, number][] {
  return members(btf, struct).map(({ name, offset }) => [name, offset]);
}

/** A structure's layout as text: `size:BYTES NAME:OFFSET:SIZE NAME:OFFSET:SIZE …`. */
function description(btf: Btf, struct: string): string {
  return `size:${btf.structSize(struct)} ${members(btf, struct).map(placeOf).join(" ")}`;
}

/** The variables of `.bss` as text, in the same form. */
function variables(btf: Btf): string {
  return btf.sectionVariables(".bss").filter(({ name }) => !name.startsWith("_")).map(placeOf)
    .join(" ");
}

function placeOf({ name, offset, size }: { name: string; offset: number; size: number }): string {
  return `${name}:${offset}:${size}`;
}

/** Equal in all programs that can take over each other's maps. */
function stateId(btf: Btf): string {
  const state = [
    ...["live", "connection", "record", "own_session", "tally"].map((struct) =>
      description(btf, struct)
    ),
    variables(btf),
    ...btf.enumValues("state_version").map(([name, value]) => `${name}:${value}`),
  ];
  return createHash("sha256").update(state.join("\n")).digest("hex").slice(0, 16);
}

function enumeration(btf: Btf, name: string, prefix: string): [string, number][] {
  return btf.enumValues(name).map(([key, value]) => [key.replace(prefix, ""), value]);
}

function section(btf: Btf, name: string): [string, number][] {
  return btf.sectionVariables(name)
    .map(({ name, offset }): [string, number] => [name, offset])
    .filter(([name]) => !name.startsWith("_"));
}

function variableSize(btf: Btf, section: string, name: string): number {
  return btf.sectionVariables(section).find((variable) => variable.name === name)?.size ?? 0;
}

function sizes(btf: Btf, struct: string, names: string[]): [string, number][] {
  return btf.structMembers(struct).filter(({ name }) => names.includes(name))
    .map(({ name, size }) => [name, size]);
}

function layout(elf: Uint8Array<ArrayBuffer>): string {
  using object = new BpfObject(elf);
  using btf = object.btf();
  return [
    "// Generated from bpf/record.h and bpf/tcpspan.bpf.c by `deno task generate`. Do not edit.\n",
    constant("RECORD", "Size of `struct record`, and offsets of its members, in bytes.", [
      ["size", btf.structSize("record")],
      ...offsets(btf, "record"),
    ]),
    text(
      "RECORD_DESCRIPTION",
      "The same, with the members' sizes: `size:BYTES NAME:OFFSET:SIZE NAME:OFFSET:SIZE …`.",
      description(btf, "record"),
    ),
    constant("TEXT_LENGTH", "Sizes of the owner's names in bytes, NUL included.", [
      ...sizes(btf, "owner", ["comm", "exe"]),
    ]),
    constant("ROLE", "`enum role`", enumeration(btf, "role", "ROLE_")),
    constant("OWNER", "`enum owner_source`", enumeration(btf, "owner_source", "OWNER_")),
    constant("FLAG", "`enum record_flags`", enumeration(btf, "record_flags", "FLAG_")),
    constant("NETWORKS", "`enum network_list`", enumeration(btf, "network_list", "NETWORKS_")),
    constant(
      "NETWORK_KEY",
      "Size of `struct network_key`, and offsets of its members, in bytes.",
      [["size", btf.structSize("network_key")], ...offsets(btf, "network_key")],
    ),
    constant("RODATA", "Offsets of the settings in `.rodata`.", section(btf, ".rodata")),
    constant("LIMIT", "Most pids of a filter, and most bytes of a description.", [
      ["pids", variableSize(btf, ".rodata", "filter_pids") / 4],
      ["description", btf.structSize("description")],
    ]),
    constant(
      "TALLY",
      "How many `struct tally` there are; size of one and offsets of its members, in bytes.",
      [
        ["count", variableSize(btf, ".bss", "tallies") / btf.structSize("tally")],
        ["size", btf.structSize("tally")],
        ...offsets(btf, "tally"),
      ],
    ),
    constant("BSS", "Size of `.bss` in bytes, and offsets of its counters.", [
      ["size", btf.sectionSize(".bss")],
      ...section(btf, ".bss"),
    ]),
    text("BSS_DESCRIPTION", "The variables in `.bss`: `NAME:OFFSET:SIZE …`.", variables(btf)),
    text(
      "OBJECT_SHA256",
      "Of bpf/tcpspan.bpf.o, in lower-case hex.",
      createHash("sha256").update(elf).digest("hex"),
    ),
    text("STATE_ID", "Equal in programs that can take over each other's maps.", stateId(btf)),
  ].join("\n");
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const elf = await build();
const source = layout(elf);
if (Deno.args.includes("--check")) {
  const stale = [
    ...(equal(elf, await Deno.readFile(OBJECT)) ? [] : ["bpf/tcpspan.bpf.o"]),
    ...(source === await Deno.readTextFile(LAYOUT) ? [] : ["src/session/record_layout.ts"]),
  ];
  if (stale.length > 0) {
    console.error(`out of date: ${stale.join(", ")}; run \`deno task generate\``);
    Deno.exit(1);
  }
} else {
  await Deno.writeFile(OBJECT, elf, { mode: 0o644 });
  await Deno.writeTextFile(LAYOUT, source);
}

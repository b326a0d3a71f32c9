/**
 * Builds the kernel program and, from the object's BTF, the record's layout for TypeScript.
 *
 *     deno task generate           # writes bpf/tcpspan.bpf.o and src/record_layout.ts
 *     deno task generate --check   # compares instead, and fails on a difference
 */
import { BpfObject } from "../ffi/bpf_object.ts";
import type { Btf } from "../ffi/btf.ts";

const OBJECT = new URL("tcpspan.bpf.o", import.meta.url);
const LAYOUT = new URL("../src/record_layout.ts", import.meta.url);

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

/** The record's layout as text, which goes where records outlive the program that wrote them. */
function description(btf: Btf): string {
  const fields = members(btf, "record").map(({ name, offset, size }) =>
    `${name}:${offset}:${size}`
  );
  return `size:${btf.structSize("record")} ${fields.join(" ")}`;
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
    "/** The same, with the members' sizes: `size:BYTES NAME:OFFSET:SIZE NAME:OFFSET:SIZE …`. */\n" +
    `export const RECORD_DESCRIPTION =\n  "${description(btf)}";\n`,
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
    constant("LIMIT", "How many entries the settings in `.rodata` have room for.", [
      ["pids", variableSize(btf, ".rodata", "filter_pids") / 4],
    ]),
    constant("TALLY", "How many `struct tally` there are, and what one is, in bytes.", [
      ["count", variableSize(btf, ".bss", "tallies") / btf.structSize("tally")],
      ["size", btf.structSize("tally")],
      ...offsets(btf, "tally"),
    ]),
    constant("BSS", "Size of `.bss` in bytes, and offsets of its counters.", [
      ["size", btf.sectionSize(".bss")],
      ...section(btf, ".bss"),
    ]),
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
    ...(source === await Deno.readTextFile(LAYOUT) ? [] : ["src/record_layout.ts"]),
  ];
  if (stale.length > 0) {
    console.error(`not what the sources give: ${stale.join(", ")}; run \`deno task generate\``);
    Deno.exit(1);
  }
} else {
  await Deno.writeFile(OBJECT, elf, { mode: 0o644 });
  await Deno.writeTextFile(LAYOUT, source);
}

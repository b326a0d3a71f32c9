/** The parts of object files (ELF, 64 bits, little-endian) that tests change. */

const HEADER = { sectionOffset: 40, sectionSize: 58, sectionCount: 60, nameSection: 62 } as const;
const SECTION = { name: 0, offset: 24, size: 32 } as const;
const SYMBOL = { size: 24, name: 0, section: 6, value: 8 } as const;

/** Where the function `name` starts in `elf`, in bytes. */
export function functionOffset(elf: Uint8Array<ArrayBuffer>, name: string): number {
  const symbols = section(elf, ".symtab");
  const names = section(elf, ".strtab");
  const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
  for (let at = 0; at < symbols.length; at += SYMBOL.size) {
    if (textAt(names, view.getUint32(at + SYMBOL.name, true)) !== name) continue;
    const start = sectionOffset(elf, view.getUint16(at + SYMBOL.section, true));
    return start + Number(view.getBigUint64(at + SYMBOL.value, true));
  }
  throw new Error(`no function ${name}`);
}

/** A section of `elf`, as a view of the same bytes. */
export function section(elf: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const view = viewOf(elf);
  const names = sectionOffset(elf, view.getUint16(HEADER.nameSection, true));
  for (let i = 0; i < view.getUint16(HEADER.sectionCount, true); i++) {
    const header = headerOf(view, i);
    const found = textAt(elf, names + view.getUint32(header + SECTION.name, true));
    if (found !== name) continue;
    const offset = sectionOffset(elf, i);
    return elf.subarray(offset, offset + Number(view.getBigUint64(header + SECTION.size, true)));
  }
  throw new Error(`no section ${name}`);
}

function sectionOffset(elf: Uint8Array<ArrayBuffer>, index: number): number {
  const view = viewOf(elf);
  return Number(view.getBigUint64(headerOf(view, index) + SECTION.offset, true));
}

function headerOf(view: DataView, index: number): number {
  const first = Number(view.getBigUint64(HEADER.sectionOffset, true));
  return first + index * view.getUint16(HEADER.sectionSize, true);
}

function viewOf(elf: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
}

function textAt(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
}

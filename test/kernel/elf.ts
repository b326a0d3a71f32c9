/** Object files (ELF, 64 bits, little-endian), as far as tests change them. */

const HEADER = { sectionOffset: 40, sectionSize: 58, sectionCount: 60, nameSection: 62 } as const;
const SECTION = { name: 0, offset: 24, size: 32 } as const;

/** The bytes of a section of `elf`, shared with it. */
export function section(elf: Uint8Array<ArrayBuffer>, name: string): Uint8Array<ArrayBuffer> {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const first = Number(view.getBigUint64(HEADER.sectionOffset, true));
  const header = (index: number) => first + index * view.getUint16(HEADER.sectionSize, true);
  const field = (index: number, offset: number) =>
    Number(view.getBigUint64(header(index) + offset, true));
  const names = field(view.getUint16(HEADER.nameSection, true), SECTION.offset);
  for (let i = 0; i < view.getUint16(HEADER.sectionCount, true); i++) {
    const start = names + view.getUint32(header(i) + SECTION.name, true);
    const found = new TextDecoder().decode(elf.subarray(start, elf.indexOf(0, start)));
    if (found !== name) continue;
    const offset = field(i, SECTION.offset);
    return elf.subarray(offset, offset + field(i, SECTION.size));
  }
  throw new Error(`no section ${name}`);
}

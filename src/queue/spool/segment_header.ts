/**
 * What a segment says of itself at its beginning, so that another version can read it.
 *
 * | offset | bytes | what                                                                         |
 * | ------ | ----- | ---------------------------------------------------------------------------- |
 * | 0      | 8     | `tcpspanq`                                                                   |
 * | 8      | 4     | version of the format                                                        |
 * | 12     | 4     | length of the header, where the first frame begins                           |
 * | 16     | 8     | random id, by which `delivered` names the segment, whatever its file's name  |
 * | 24     | 16    | boot id of the host (random(4)), without which a cgroup's id means nothing   |
 * | 40     |       | layout of the records, as `RECORD_DESCRIPTION` has it                        |
 * | end −4 | 4     | CRC-32 of all before                                                         |
 *
 * The first 16 bytes and the checksum are the same in every format, so that another format is not
 * taken for damage.
 */
import { crc32 } from "node:zlib";
import { RECORD_DESCRIPTION } from "../../session/record_layout.ts";
import { RecordTranslation } from "../../session/record_translation.ts";

const MAGIC = "tcpspanq";
const FORMAT = 1;
const ID = 16; // offsets
const BOOT = 24;
const LAYOUT = 40;
const CHECKSUM = 4;
/** Bytes that hold any header. */
export const LARGEST_HEADER = 65_536;
const MOST_DAMAGED = 16; // bytes

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A header that was read. */
export interface SegmentHeader {
  /** Hex. */
  readonly id: string;
  /** Of the host when the segment was written; hex. */
  readonly boot: string;
  /** Bytes. */
  readonly size: number;
  readonly translation: RecordTranslation;
  /** CRC-32 of the layout's text. */
  readonly layout: number;
}

/** The header of a new segment. @param boot the host's boot id, 16 bytes in hex like `id`, of 8 */
export function makeHeader(
  id: string,
  boot: string,
  layout = RECORD_DESCRIPTION,
): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(layout);
  const bytes = new Uint8Array(LAYOUT + text.length + CHECKSUM);
  const view = new DataView(bytes.buffer);
  bytes.set(encoder.encode(MAGIC));
  view.setUint32(8, FORMAT, true);
  view.setUint32(12, bytes.length, true);
  bytes.set(Uint8Array.fromHex(id + boot), ID);
  bytes.set(text, LAYOUT);
  view.setUint32(bytes.length - CHECKSUM, crc32(bytes.subarray(0, -CHECKSUM)), true);
  return bytes;
}

/** Bytes of a new segment's header. */
export const HEADER_SIZE = LAYOUT + encoder.encode(RECORD_DESCRIPTION).length + CHECKSUM;

/**
 * Reads the header at the beginning of `bytes`.
 * @returns in words why there is none that can be used, if there is none
 */
export function readHeader(bytes: Uint8Array<ArrayBuffer>): SegmentHeader | string {
  const size = checkedSize(bytes);
  if (size !== undefined) {
    const format = viewOf(bytes).getUint32(8, true);
    if (format !== FORMAT) {
      return `it is of another version of tcpspan (format ${format}, expected ${FORMAT})`;
    }
  }
  const header = size === undefined ? repaired(bytes) : bytes.subarray(0, size);
  if (header === undefined) return "it is no segment of a queue, or its beginning is damaged";
  const text = header.subarray(LAYOUT, -CHECKSUM);
  const translation = RecordTranslation.of(decoder.decode(text));
  if (translation === undefined) return "its records have an unknown layout";
  return {
    id: header.subarray(ID, BOOT).toHex(),
    boot: header.subarray(BOOT, LAYOUT).toHex(),
    size: header.length,
    translation,
    layout: crc32(text),
  };
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Length of the header, of whichever format, if it is whole. */
function checkedSize(bytes: Uint8Array<ArrayBuffer>): number | undefined {
  if (bytes.length < LAYOUT || decoder.decode(bytes.subarray(0, 8)) !== MAGIC) return undefined;
  const view = viewOf(bytes);
  const size = view.getUint32(12, true);
  if (size < LAYOUT + CHECKSUM || size > bytes.length) return undefined;
  const checksum = view.getUint32(size - CHECKSUM, true);
  return crc32(bytes.subarray(0, size - CHECKSUM)) === checksum ? size : undefined;
}

/**
 * Today's header, if all but a few bytes are those of it, so that the frames can be read. If the
 * format is another one, only if that is the damage: the checksum is right with today's in its place.
 */
function repaired(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  if (bytes.length < HEADER_SIZE) return undefined;
  if (viewOf(bytes).getUint32(8, true) !== FORMAT) {
    const ofToday = bytes.slice(0, HEADER_SIZE);
    viewOf(ofToday).setUint32(8, FORMAT, true);
    return checkedSize(ofToday) === undefined ? undefined : ofToday;
  }
  const header = makeHeader(bytes.slice(ID, BOOT).toHex(), bytes.slice(BOOT, LAYOUT).toHex());
  let damaged = 0;
  for (const [i, byte] of header.subarray(0, -CHECKSUM).entries()) {
    if (bytes[i] !== byte && ++damaged > MOST_DAMAGED) return undefined;
  }
  return header;
}

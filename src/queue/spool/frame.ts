/**
 * A frame: some records in a segment, under checksums. A header of 16 bytes, then whole raw records.
 *
 * | offset | bytes | what                                                                         |
 * | ------ | ----- | ---------------------------------------------------------------------------- |
 * | 0      | 4     | the same in every frame                                                      |
 * | 4      | 4     | length of the payload; 0: the seal, which ends a segment                     |
 * | 8      | 4     | CRC-32 of the layout's text and the payload; of a seal, the segment's sessions |
 * | 12     | 4     | CRC-32 of the twelve bytes before                                            |
 *
 * Integers are little-endian, here as in the records.
 */
import { crc32 } from "node:zlib";

/** Bytes of a frame's header. */
export const FRAME_HEADER = 16;
/** Bytes of a payload at most. */
export const LARGEST_PAYLOAD = 2 * 2 ** 20;

/** The first byte of each frame; no text in UTF-8 holds it. */
export const FRAME_BEGIN = 0xf5;
const MAGIC = 0xf6535400 + FRAME_BEGIN;
const CHECKED = 12;

/**
 * Writes the header of the frame whose payload of `length` bytes lies behind it in `bytes`.
 * @param layout CRC-32 of the layout's text, so that records are never read as those of another one
 */
export function writeFrameHeader(
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
  layout: number,
): void {
  write(bytes, length, crc32(bytes.subarray(FRAME_HEADER, FRAME_HEADER + length), layout));
}

/** Writes the seal of a segment of `sessions`. */
export function writeSeal(bytes: Uint8Array<ArrayBuffer>, sessions: number): void {
  write(bytes, 0, sessions);
}

function write(bytes: Uint8Array<ArrayBuffer>, length: number, third: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, length, true);
  view.setUint32(8, third, true);
  view.setUint32(CHECKED, crc32(bytes.subarray(0, CHECKED)), true);
}

/** Length of the payload behind the header at `offset`; undefined if there is no header. */
export function payloadLength(view: DataView<ArrayBuffer>, offset: number): number | undefined {
  if (view.getUint32(offset, true) !== MAGIC) return undefined;
  const checked = new Uint8Array(view.buffer, view.byteOffset + offset, CHECKED);
  if (crc32(checked) !== view.getUint32(offset + CHECKED, true)) return undefined;
  return view.getUint32(offset + 4, true);
}

/** Sessions in the segment that `bytes` seal; undefined if they are not a seal. */
export function sealedSessions(bytes: Uint8Array<ArrayBuffer>): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER);
  return payloadLength(view, 0) === 0 ? view.getUint32(8, true) : undefined;
}

/** Whether the payload of `length` bytes behind the header at `offset` is what was written. */
export function isPayloadWhole(
  view: DataView<ArrayBuffer>,
  offset: number,
  length: number,
  layout: number,
): boolean {
  const payload = new Uint8Array(view.buffer, view.byteOffset + offset + FRAME_HEADER, length);
  return crc32(payload, layout) === view.getUint32(offset + 8, true);
}

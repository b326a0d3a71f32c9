/**
 * Fields of opentelemetry-proto in binary protobuf, for what is encoded once and then copied.
 */

/** Wire type 2: text, bytes and messages. */
const DELIMITED = 2;
const VARINT = 0;
const FIXED64 = 1;

const encoder = new TextEncoder();

/** `AnyValue.string_value`, `.bool_value`, `.int_value` and `.double_value`, in one byte each. */
export const VALUE_TAG = {
  string: 1 << 3 | DELIMITED,
  bool: 2 << 3 | VARINT,
  int: 3 << 3 | VARINT,
  double: 4 << 3 | FIXED64,
} as const;

/** A field that holds text, bytes or a message. */
export function delimited(field: number, content: string | Uint8Array): Uint8Array {
  const bytes = typeof content === "string" ? encoder.encode(content) : content;
  return concat(Uint8Array.of(field << 3 | DELIMITED, ...varint(bytes.length)), bytes);
}

/** A `KeyValue` in a field. @param value the bytes of its `AnyValue` */
export function keyValue(field: number, key: string, value: Uint8Array): Uint8Array {
  return delimited(field, concat(delimited(1, key), delimited(2, value)));
}

/** One after another. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Bytes of `value`, a length, as a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...varint(value >>> 7)];
}

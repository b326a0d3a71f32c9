/** Reads `google.rpc.Status`, in which OTLP servers report errors (google/rpc/status.proto). */
import { MAX_DURATION } from "../../src/config/limits.ts";

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const decoder = new TextDecoder();

/** The parts of a status that tcpspan uses. */
export interface RpcStatus {
  readonly message: string;
  /** From a `google.rpc.RetryInfo` in the details: milliseconds, at most what a timer can wait. */
  readonly retryAfterMs?: number;
}

/** The status in `bytes`, or undefined if they are not one. */
export function readRpcStatus(bytes: Uint8Array): RpcStatus | undefined {
  try {
    let message = "";
    let retryAfterMs: number | undefined;
    for (const [field, value] of fields(bytes)) {
      if (field === 2 && value instanceof Uint8Array) message = decoder.decode(value);
      if (field === 3 && value instanceof Uint8Array) retryAfterMs ??= readRetryInfo(value);
    }
    return { message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The delay in a `google.protobuf.Any` that holds a RetryInfo. */
function readRetryInfo(any: Uint8Array): number | undefined {
  const members = new Map(fields(any));
  const type = members.get(1);
  const value = members.get(2);
  if (!(type instanceof Uint8Array) || !(value instanceof Uint8Array)) return undefined;
  if (!decoder.decode(type).endsWith("/google.rpc.RetryInfo")) return undefined;
  const delay = new Map(fields(value)).get(1);
  if (!(delay instanceof Uint8Array)) return 0;
  const duration = new Map(fields(delay)); // google.protobuf.Duration: seconds, nanos
  const part = (field: number) => BigInt.asIntN(64, asInteger(duration.get(field)));
  const wait = Math.ceil(Number(part(1)) * 1e3 + Number(part(2)) / 1e6);
  return Math.min(Math.max(0, wait), MAX_DURATION);
}

function asInteger(value: bigint | Uint8Array | undefined): bigint {
  return typeof value === "bigint" ? value : 0n;
}

/** @throws {RangeError} if `bytes` are not a protobuf message */
function* fields(bytes: Uint8Array): Generator<[field: number, value: bigint | Uint8Array]> {
  let position = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[position++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("cannot read a varint: it does not end");
  };
  const take = (length: number): Uint8Array => {
    if (position + length > bytes.length) {
      throw new RangeError(`cannot read a field: ${length} bytes reach beyond the message`);
    }
    position += length;
    return bytes.subarray(position - length, position);
  };
  while (position < bytes.length) {
    const tag = Number(varint());
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        yield [field, varint()];
        break;
      case FIXED64:
        yield [field, take(8)];
        break;
      case BYTES:
        yield [field, take(Number(varint()))];
        break;
      case FIXED32:
        yield [field, take(4)];
        break;
      default:
        throw new RangeError(`cannot read field ${field}: unknown wire type ${tag % 8}`);
    }
  }
}

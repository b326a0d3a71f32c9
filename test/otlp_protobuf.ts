/**
 * OTLP in binary protobuf for tests: requests decoded by the field numbers of opentelemetry-proto 1.x
 * into the JSON form of the OTLP specification, and answers encoded.
 */

type Kind =
  | "string"
  | "hex"
  | "base64"
  | "uint"
  | "int64"
  | "fixed64"
  | "fixed32"
  | "double"
  | "bool";

/** Field number to name and kind; a kind that is no word is a message; `[]` in a name: repeated. */
interface Message {
  readonly [field: number]: readonly [name: string, kind: Kind | (() => Message)];
}

const ANY_VALUE: Message = {
  1: ["stringValue", "string"],
  2: ["boolValue", "bool"],
  3: ["intValue", "int64"],
  4: ["doubleValue", "double"],
  5: ["arrayValue", () => ({ 1: ["values[]", () => ANY_VALUE] })],
  6: ["kvlistValue", () => ({ 1: ["values[]", () => KEY_VALUE] })],
  7: ["bytesValue", "base64"],
};

const KEY_VALUE: Message = { 1: ["key", "string"], 2: ["value", () => ANY_VALUE] };

const EVENT: Message = {
  1: ["timeUnixNano", "fixed64"],
  2: ["name", "string"],
  3: ["attributes[]", () => KEY_VALUE],
  4: ["droppedAttributesCount", "uint"],
};

const LINK: Message = {
  1: ["traceId", "hex"],
  2: ["spanId", "hex"],
  3: ["traceState", "string"],
  4: ["attributes[]", () => KEY_VALUE],
  5: ["droppedAttributesCount", "uint"],
  6: ["flags", "fixed32"],
};

const SPAN: Message = {
  1: ["traceId", "hex"],
  2: ["spanId", "hex"],
  3: ["traceState", "string"],
  4: ["parentSpanId", "hex"],
  5: ["name", "string"],
  6: ["kind", "uint"],
  7: ["startTimeUnixNano", "fixed64"],
  8: ["endTimeUnixNano", "fixed64"],
  9: ["attributes[]", () => KEY_VALUE],
  10: ["droppedAttributesCount", "uint"],
  11: ["events[]", () => EVENT],
  12: ["droppedEventsCount", "uint"],
  13: ["links[]", () => LINK],
  14: ["droppedLinksCount", "uint"],
  15: ["status", () => ({ 2: ["message", "string"], 3: ["code", "uint"] })],
  16: ["flags", "fixed32"],
};

const SCOPE: Message = {
  1: ["name", "string"],
  2: ["version", "string"],
  3: ["attributes[]", () => KEY_VALUE],
  4: ["droppedAttributesCount", "uint"],
};

const SCOPE_SPANS: Message = {
  1: ["scope", () => SCOPE],
  2: ["spans[]", () => SPAN],
  3: ["schemaUrl", "string"],
};

const RESOURCE: Message = {
  1: ["attributes[]", () => KEY_VALUE],
  2: ["droppedAttributesCount", "uint"],
};

const RESOURCE_SPANS: Message = {
  1: ["resource", () => RESOURCE],
  2: ["scopeSpans[]", () => SCOPE_SPANS],
  3: ["schemaUrl", "string"],
};

const decoder = new TextDecoder("utf-8", { fatal: true });

/** An ExportTraceServiceRequest; 64-bit integers become strings of decimal digits. */
export function decodeTraceRequest(bytes: Uint8Array): unknown {
  return decode(bytes, { 1: ["resourceSpans[]", () => RESOURCE_SPANS] });
}

/** @throws {Error} for a field that the definition lacks, or one of another wire type */
function decode(bytes: Uint8Array, message: Message): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result: Record<string, unknown> = {};
  let at = 0;
  const varint = (): bigint => {
    for (let value = 0n, shift = 0n;; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const read = (kind: Kind | (() => Message)): [wireType: number, () => unknown] => {
    const bytesOf = () => {
      const length = Number(varint());
      if (at + length > bytes.length) throw new Error("cannot decode: a field is cut short");
      return bytes.subarray(at, at += length);
    };
    switch (kind) {
      case "uint":
        return [0, () => Number(varint())];
      case "bool":
        return [0, () => varint() !== 0n];
      case "int64":
        return [0, () => String(BigInt.asIntN(64, varint()))];
      case "fixed64":
        return [1, () => String(view.getBigUint64((at += 8) - 8, true))];
      case "double":
        return [1, () => view.getFloat64((at += 8) - 8, true)];
      case "fixed32":
        return [5, () => view.getUint32((at += 4) - 4, true)];
      case "string":
        return [2, () => decoder.decode(bytesOf())];
      case "hex":
        return [2, () => bytesOf().toHex()];
      case "base64":
        return [2, () => bytesOf().toBase64()];
      default:
        return [2, () => decode(bytesOf(), kind())];
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [name, kind] = message[tag >> 3] ?? [];
    if (name === undefined || kind === undefined) {
      throw new Error(
        `cannot decode: there is no field ${tag >> 3} among ${Object.values(message)}`,
      );
    }
    const [wireType, value] = read(kind);
    if ((tag & 7) !== wireType) throw new Error(`cannot decode ${name}: wire type ${tag & 7}`);
    if (name.endsWith("[]")) {
      const list = name.slice(0, -2);
      const before = result[list];
      result[list] = [...(Array.isArray(before) ? before : []), value()];
    } else {
      result[name] = value();
    }
  }
  return result;
}

/** An ExportTraceServiceResponse. */
export function partialSuccess(rejected: number, message: string): Uint8Array {
  return field(1, [...varintField(1, rejected), ...textField(2, message)]);
}

/**
 * A google.rpc.Status with the code INVALID_ARGUMENT.
 * @param retryDelay of a RetryInfo among the details: seconds and nanoseconds
 */
export function rpcStatus(message: string, retryDelay?: readonly [number, number]): Uint8Array {
  const detail = (type: string, value: Iterable<number>) =>
    field(3, [...textField(1, `type.googleapis.com/google.rpc.${type}`), ...field(2, value)]);
  return new Uint8Array([
    ...varintField(1, 3),
    ...textField(2, message),
    ...detail("RequestInfo", textField(1, "a request")),
    ...(retryDelay === undefined ? [] : detail(
      "RetryInfo",
      field(1, [...varintField(1, retryDelay[0]), ...varintField(2, retryDelay[1])]),
    )),
  ]);
}

function varintField(number: number, value: number): number[] {
  return value === 0 ? [] : [number << 3, ...varint(value)];
}

function textField(number: number, text: string): Uint8Array {
  return field(number, new TextEncoder().encode(text));
}

function field(number: number, content: Iterable<number>): Uint8Array {
  const bytes = [...content];
  return new Uint8Array([number << 3 | 2, ...varint(bytes.length), ...bytes]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [value % 0x80 | 0x80, ...varint(Math.floor(value / 0x80))];
}

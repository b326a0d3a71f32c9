/** Spans in binary protobuf: `message Span` of opentelemetry-proto's trace.proto. */
import { type Attributes, SpanStatusCode } from "../../../npm/opentelemetry/api.ts";
import { ConstantBytes } from "../../../src/bytes/constant_bytes.ts";
import type { Id } from "../../../src/ids/ids.ts";
import type { End, Session } from "../../../src/session/session.ts";
import type {
  AttributeKey,
  FixedAttributes,
  FixedText,
  FixedTraceState,
  SpanHead,
  SpanSink,
} from "../../../src/span/span_sink.ts";
import { SPAN_NAME, TRACE_FLAGS } from "../../../src/span/every_span.ts";
import type { UnixTime } from "../../../src/bytes/unix_time.ts";
import { hasZone, withZone } from "../../../src/span/zone.ts";
import { concat, delimited, keyValue, VALUE_TAG } from "./fields.ts";

/** More than the longest span and what its last copies overwrite: all of its text is bounded. */
export const SPAN_LIMIT = 4096;

const ATTRIBUTES = 9; // fields of Span, as is 11 below
const WORD = 2 ** 32;
const INT64_END = 2 ** 63;

const FLAGS_HAS_IS_REMOTE = 0x100;
const FLAGS_IS_REMOTE = 0x200;

const NAME = new ConstantBytes(delimited(5, SPAN_NAME));
const NAME_WITH_PORT = new ConstantBytes(delimited(5, `${SPAN_NAME} `));
const FLAGS_TAG = Uint8Array.of(0x85, 0x01); // field 16, fixed32
// counts of what was dropped: the official serializer writes them although they are 0
const NO_DROPPED_ATTRIBUTES = new ConstantBytes(Uint8Array.of(10 << 3, 0));
const NO_OTHER_DROPPED = Uint8Array.of(12 << 3, 0, 14 << 3, 0);
const STATUS_UNSET = endRun(undefined);

const encoder = new TextEncoder();

/**
 * Writes spans one after another. Constant parts are encoded when they first occur, and copied from
 * then on; the rest is written from the record. Lengths that are known only afterwards are patched.
 */
export class SpanWriter implements SpanSink {
  /** Where the next byte goes. */
  at = 0;
  #target: DataView = new DataView(new ArrayBuffer(0));
  readonly #runs: (ConstantBytes | undefined)[] = []; // by the index of the part
  #begun = 0;
  #flags = 0;
  #inAttributes = false;
  // the addresses of the span, which most spans have twice
  readonly #local = { at: 0, length: 0 };
  readonly #peer = { at: 0, length: 0 };

  /** Writes to `target` from now on, which must have SPAN_LIMIT bytes of room before each span. */
  attach(target: DataView, at: number): void {
    this.#target = target;
    this.at = at;
  }

  begin(head: SpanHead): void {
    const target = this.#target;
    let at = this.at;
    // ScopeSpans.spans, and its length: a span has from 2^7 to 2^14 bytes, so it takes two
    target.setUint8(at, 2 << 3 | 2);
    this.#begun = at + 3;
    at = writeId(1, head.trace, target, at + 3);
    at = writeId(2, head.span, target, at);
    if (head.traceState !== undefined) at = this.#writeTraceState(head.traceState, at);
    if (head.parent !== undefined) at = writeId(4, head.parent, target, at);
    at = head.namedPort === undefined
      ? NAME.copyTo(target, at)
      : writeNameWithPort(head.namedPort, target, at);
    target.setUint16(at, 6 << 11 | head.kind + 1); // OTLP has 0 for unspecified
    at = writeTime(7, head.start, target, at + 2);
    this.at = writeTime(8, head.end, target, at);
    const remote = head.parent !== undefined && head.parentIsRemote ? FLAGS_IS_REMOTE : 0;
    this.#inAttributes = true;
    this.#local.length = this.#peer.length = 0;
    this.#flags = TRACE_FLAGS | FLAGS_HAS_IS_REMOTE | remote;
  }

  fixed(part: FixedAttributes): void {
    const run = this.#runs[part.index] ?? this.#keep(part.index, fixedRun(part.attributes));
    this.at = run.copyTo(this.#target, this.at);
  }

  integer(key: AttributeKey, value: number): void {
    const target = this.#target;
    const begun = this.at;
    const run = this.#runs[key.index] ?? this.#keep(key.index, integerPrefix(key.name));
    const at = run.copyTo(target, begun);
    let end: number;
    if (value >= 0 && value < 0x80) {
      target.setUint8(at, value);
      end = at + 1;
    } else {
      end = value >= 0 && value < WORD
        ? writeVarint(value, target, at)
        : writeLarge(value, target, at);
    }
    target.setUint8(begun + 1, end - begun - 2); // of KeyValue
    target.setUint8(at - 2, end - at + 1); // of AnyValue
    this.at = end;
  }

  address(key: AttributeKey, session: Session, end: End): void {
    if (hasZone(session, end)) {
      this.#text(key, withZone(session, end));
      return;
    }
    const at = this.#textPrefix(key);
    const written = end === "local" ? this.#local : this.#peer;
    if (written.length > 0) {
      this.#endText(at, copyText(written, this.#target, at));
      return;
    }
    const textEnd = session.writeAddress(end, this.#target, at);
    written.at = at;
    written.length = textEnd - at;
    this.#endText(at, textEnd);
  }

  comm(key: AttributeKey, session: Session): void {
    const at = this.#textPrefix(key);
    const end = session.writeAsciiComm(this.#target, at);
    if (end === -1) this.#text(key, session.comm);
    else this.#endText(at, end);
  }

  event(name: FixedText, time: UnixTime): void {
    this.#beginEvents();
    const { at } = this;
    const run = this.#runs[name.index] ?? this.#keep(name.index, eventRun(name.text));
    this.at = run.copyTo(this.#target, at);
    writeTime(1, time, this.#target, at + 2);
  }

  end(error: FixedText | undefined): void {
    this.#beginEvents();
    const target = this.#target;
    const run = error === undefined
      ? STATUS_UNSET
      : this.#runs[error.index] ?? this.#keep(error.index, endRun(error.text));
    const at = run.copyTo(target, this.at);
    target.setUint32(at, this.#flags, true);
    this.at = at + 4;
    const length = this.at - this.#begun;
    target.setUint8(this.#begun - 2, length & 0x7f | 0x80);
    target.setUint8(this.#begun - 1, length >>> 7);
  }

  /** @returns where it ends */
  #writeTraceState({ index, text }: FixedTraceState, at: number): number {
    const run = this.#runs[index] ?? this.#keep(index, new ConstantBytes(delimited(3, text)));
    return run.copyTo(this.#target, at);
  }

  /** Ends the attributes, unless that is done. */
  #beginEvents(): void {
    if (!this.#inAttributes) return;
    this.#inAttributes = false;
    this.at = NO_DROPPED_ATTRIBUTES.copyTo(this.#target, this.at);
  }

  #keep(index: number, run: ConstantBytes): ConstantBytes {
    this.#runs[index] = run;
    return run;
  }

  /** Writes text that is not simply a copy of the record's bytes. */
  #text(key: AttributeKey, text: string): void {
    const at = this.#textPrefix(key);
    const bytes = encoder.encode(text);
    for (let i = 0; i < bytes.length; i++) this.#target.setUint8(at + i, bytes[i] ?? 0);
    this.#endText(at, at + bytes.length);
  }

  /** Begins an attribute. @returns where its text goes */
  #textPrefix(key: AttributeKey): number {
    const run = this.#runs[key.index] ?? this.#keep(key.index, textPrefix(key.name));
    return run.copyTo(this.#target, this.at);
  }

  /** Ends an attribute whose text lies from `at` to `end`. Each length is below 2^7. */
  #endText(at: number, end: number): void {
    const target = this.#target;
    target.setUint8(this.at + 1, end - this.at - 2); // of KeyValue
    target.setUint8(at - 3, end - at + 2); // of AnyValue
    target.setUint8(at - 1, end - at);
    this.at = end;
  }
}

function fixedRun(attributes: Readonly<Attributes>): ConstantBytes {
  return new ConstantBytes(concat(
    ...Object.entries(attributes).map(([key, value]) =>
      keyValue(
        ATTRIBUTES,
        key,
        typeof value === "boolean"
          ? Uint8Array.of(VALUE_TAG.bool, value ? 1 : 0)
          : delimited(1, String(value)),
      )
    ),
  ));
}

/** An attribute up to its integer, lengths left open. */
function integerPrefix(key: string): ConstantBytes {
  return new ConstantBytes(keyValue(ATTRIBUTES, key, Uint8Array.of(VALUE_TAG.int)));
}

/** An attribute up to its text, lengths left open. */
function textPrefix(key: string): ConstantBytes {
  return new ConstantBytes(keyValue(ATTRIBUTES, key, delimited(1, "")));
}

/** An event whose time, the first field, is left open. */
function eventRun(name: string): ConstantBytes {
  const time = Uint8Array.of(1 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0);
  return new ConstantBytes(
    delimited(11, concat(time, delimited(2, name), Uint8Array.of(4 << 3, 0))),
  );
}

/** What follows the events, up to the flags. */
function endRun(error: string | undefined): ConstantBytes {
  const message = error === undefined ? new Uint8Array() : delimited(2, error);
  const code = error === undefined ? SpanStatusCode.UNSET : SpanStatusCode.ERROR;
  const status = delimited(15, concat(message, Uint8Array.of(3 << 3, code)));
  return new ConstantBytes(concat(NO_OTHER_DROPPED, status, FLAGS_TAG));
}

function writeId(field: number, id: Id, target: DataView, at: number): number {
  const { words } = id;
  target.setUint8(at, field << 3 | 2);
  target.setUint8(at + 1, words.length * 4);
  for (let i = 0; i < words.length; i++) target.setInt32(at + 2 + 4 * i, words[i] ?? 0, true);
  return at + 2 + words.length * 4;
}

/** Up to three bytes after it are overwritten too. @returns where it ends */
function copyText(
  { at: from, length }: { readonly at: number; readonly length: number },
  target: DataView,
  at: number,
): number {
  for (let i = 0; i < length; i += 4) target.setInt32(at + i, target.getInt32(from + i));
  return at + length;
}

function writeNameWithPort(port: number, target: DataView, at: number): number {
  const digits = at + NAME_WITH_PORT.length;
  NAME_WITH_PORT.copyTo(target, at);
  const count = port < 10 ? 1 : port < 100 ? 2 : port < 1000 ? 3 : port < 10_000 ? 4 : 5;
  for (let i = count - 1, rest = port; i >= 0; i--, rest = rest / 10 | 0) {
    target.setUint8(digits + i, 0x30 + rest % 10);
  }
  target.setUint8(at + 1, NAME_WITH_PORT.length - 2 + count);
  return digits + count;
}

function writeTime(field: number, time: UnixTime, target: DataView, at: number): number {
  target.setUint8(at, field << 3 | 1);
  target.setInt32(at + 1, time.low, true);
  target.setInt32(at + 5, time.high, true);
  return at + 9;
}

/** @param value 32 bits */
function writeVarint(value: number, target: DataView, at: number): number {
  target.setUint8(at++, value & 0x7f | 0x80);
  let rest = value >>> 7;
  while (rest > 0x7f) {
    target.setUint8(at++, rest & 0x7f | 0x80);
    rest >>>= 7;
  }
  target.setUint8(at, rest);
  return at + 1;
}

/** An integer too large for 32 bits: 64 bits in two's complement, or else a double. */
function writeLarge(value: number, target: DataView, at: number): number {
  if (value >= INT64_END) {
    target.setUint8(at - 1, VALUE_TAG.double);
    target.setFloat64(at, value, true);
    return at + 8;
  }
  let low = value >>> 0;
  let high = Math.floor(value / WORD) >>> 0;
  while (high > 0 || low > 0x7f) {
    target.setUint8(at++, low & 0x7f | 0x80);
    low = (low >>> 7 | high << 25) >>> 0;
    high >>>= 7;
  }
  target.setUint8(at, low);
  return at + 1;
}

/** Spans as lines of JSON. */
import { type Attributes, SpanKind } from "../../npm/opentelemetry/api.ts";
import type { Resource } from "../../npm/opentelemetry/resources.ts";
import { ConstantBytes } from "../../src/bytes/constant_bytes.ts";
import { writeInteger, writeText } from "../../src/bytes/digits.ts";
import { GrowingBuffer } from "../../src/bytes/growing_buffer.ts";
import type { Id } from "../../src/ids/ids.ts";
import { printableJson } from "../../src/messages/printable.ts";
import { Rfc3339Writer } from "../../src/bytes/rfc3339.ts";
import type { End, Session } from "../../src/session/session.ts";
import type {
  AttributeKey,
  FixedAttributes,
  FixedText,
  SpanHead,
  SpanSink,
} from "../../src/span/span_sink.ts";
import { SPAN_NAME } from "../../src/span/every_span.ts";
import { UnixTime } from "../../src/bytes/unix_time.ts";
import { hasZone, withZone } from "../../src/span/zone.ts";
import { writePlainComm } from "./columns.ts";
import { LINE_END } from "./format.ts";

/** Names that are reserved: attributes with these names are left out. */
const MEMBERS: ReadonlySet<string> = new Set([
  "trace_id",
  "span_id",
  "parent_span_id",
  "trace_state",
  "name",
  "kind",
  "status",
  "status_message",
  "start",
  "end",
  "events",
]);

/** More than the members without events, or an attribute's value, can take; both are bounded. */
const MEMBERS_LIMIT = 1024;
const VALUE_LIMIT = 512;

const QUOTE = 0x22;
const CLOSE_OBJECT = 0x7d;
const CLOSE_ARRAY = 0x5d;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const TRACE_ID = run('{"trace_id":"');
const SPAN_ID = run('","span_id":"');
const PARENT_SPAN_ID = run('","parent_span_id":"');
const TRACE_STATE = '","trace_state":"';
const NAME = run(`","name":"${SPAN_NAME}`);
const NAME_WITH_PORT = run(`","name":"${SPAN_NAME} `);
const KIND: Readonly<Record<SpanKind, ConstantBytes>> = {
  [SpanKind.INTERNAL]: kindRun("INTERNAL"),
  [SpanKind.SERVER]: kindRun("SERVER"),
  [SpanKind.CLIENT]: kindRun("CLIENT"),
  [SpanKind.PRODUCER]: kindRun("PRODUCER"),
  [SpanKind.CONSUMER]: kindRun("CONSUMER"),
};
const UNSET = run('Unset"');
const START = run(',"start":"');
const END = run('","end":"');
const EVENTS = run(',"events":[');

/** A resource as a part of lines. */
interface EncodedResource {
  /** Its attributes, without those that have the name of a member. */
  readonly attributes: Attributes;
  /** The same in JSON, a comma before each. */
  readonly bytes: Uint8Array;
  /** How many names of span attributes its names were compared with. */
  comparedWith: number;
  /** Whether some of them belong elsewhere in the line: then it is written the slow way. */
  isMixed: boolean;
}

/**
 * Writes lines one after another. Constant parts are encoded when they first occur, and copied from
 * then on; the rest is written from the record.
 */
export class JsonSpanWriter implements SpanSink {
  readonly #lines = new GrowingBuffer();
  #at = 0; // in #lines
  #begun = 0;
  readonly #parts = new GrowingBuffer(); // of one span: attributes, then events
  #partsEnd = 0;
  #attributesEnd = 0;
  #inAttributes = false;
  readonly #runs: (ConstantBytes | undefined)[] = []; // by the index of the part
  readonly #names = new Set<string>(); // of the attributes that spans have had
  readonly #resources = new WeakMap<Resource, EncodedResource>();
  #resource: Resource | undefined;
  #encodedResource = encodeResource({});
  readonly #start = new UnixTime();
  readonly #end = new UnixTime();
  readonly #times = new Rfc3339Writer();

  /** Forgets all lines. */
  clear(): void {
    this.#at = 0;
  }

  /** The lines that were written since `clear`; they are valid until the next `clear`. */
  get lines(): Uint8Array<ArrayBuffer> {
    return this.#lines.bytes.subarray(0, this.#at);
  }

  /** The resource of the spans that follow. */
  set resource(resource: Resource) {
    if (resource === this.#resource) return;
    this.#resource = resource;
    const known = this.#resources.get(resource);
    this.#encodedResource = known ?? encodeResource(resource.attributes);
    if (known === undefined) this.#resources.set(resource, this.#encodedResource);
  }

  begin(head: SpanHead): void {
    this.#begun = this.#at;
    this.#partsEnd = 0;
    this.#inAttributes = true;
    this.#start.copy(head.start);
    this.#end.copy(head.end);
    const target = this.#lines.reserve(this.#at, MEMBERS_LIMIT);
    let at = writeId(head.trace, target, TRACE_ID.copyTo(target, this.#at));
    at = writeId(head.span, target, SPAN_ID.copyTo(target, at));
    if (head.parent !== undefined) {
      at = writeId(head.parent, target, PARENT_SPAN_ID.copyTo(target, at));
    }
    if (head.traceState !== undefined) {
      const { index, text } = head.traceState;
      at = (this.#runs[index] ?? this.#keep(index, TRACE_STATE + escaped(text))).copyTo(target, at);
    }
    at = head.namedPort === undefined
      ? NAME.copyTo(target, at)
      : writeInteger(head.namedPort, target, NAME_WITH_PORT.copyTo(target, at));
    this.#at = KIND[head.kind].copyTo(target, at);
  }

  fixed(part: FixedAttributes): void {
    const run = this.#runs[part.index] ?? this.#keepFixed(part);
    this.#partsEnd = run.copyTo(this.#reserve(run), this.#partsEnd);
  }

  integer(key: AttributeKey, value: number): void {
    const run = this.#runs[key.index] ?? this.#keepKey(key, "");
    const target = this.#reserve(run);
    this.#partsEnd = writeInteger(value, target, run.copyTo(target, this.#partsEnd));
  }

  address(key: AttributeKey, session: Session, end: End): void {
    const run = this.#runs[key.index] ?? this.#keepKey(key, '"');
    const target = this.#reserve(run);
    const at = run.copyTo(target, this.#partsEnd);
    const textEnd = hasZone(session, end)
      ? writeText(escaped(withZone(session, end)), target, at)
      : session.writeAddress(end, target, at);
    target.setUint8(textEnd, QUOTE);
    this.#partsEnd = textEnd + 1;
  }

  comm(key: AttributeKey, session: Session): void {
    const run = this.#runs[key.index] ?? this.#keepKey(key, '"');
    const target = this.#reserve(run);
    const at = run.copyTo(target, this.#partsEnd);
    let end = writePlainComm(session, target, at);
    if (end === -1) end = writeText(escaped(session.comm), target, at);
    target.setUint8(end, QUOTE);
    this.#partsEnd = end + 1;
  }

  event(name: FixedText, time: UnixTime): void {
    this.#endAttributes();
    const run = this.#runs[name.index] ??
      this.#keep(name.index, `,{"name":${toJson(name.text)},"time":"`);
    const target = this.#reserve(run);
    const at = this.#times.write(time, target, run.copyTo(target, this.#partsEnd));
    target.setUint8(at, QUOTE);
    target.setUint8(at + 1, CLOSE_OBJECT);
    this.#partsEnd = at + 2;
  }

  end(error: FixedText | undefined): void {
    this.#endAttributes();
    const status = error === undefined ? UNSET : this.#runs[error.index] ??
      this.#keep(error.index, `Error","status_message":${toJson(error.text)}`);
    const resource = this.#encodedResource;
    const target = this.#lines.reserve(
      this.#at,
      status.length + this.#partsEnd + resource.bytes.length + MEMBERS_LIMIT,
    );
    let at = status.copyTo(target, this.#at);
    at = this.#times.write(this.#start, target, START.copyTo(target, at));
    at = this.#times.write(this.#end, target, END.copyTo(target, at));
    target.setUint8(at++, QUOTE);
    if (this.#partsEnd > this.#attributesEnd) {
      at = EVENTS.copyTo(target, at);
      at = this.#copy(this.#attributesEnd + 1, this.#partsEnd, at); // without the first comma
      target.setUint8(at++, CLOSE_ARRAY);
    }
    const membersEnd = at;
    this.#lines.bytes.set(resource.bytes, at);
    at = this.#copy(0, this.#attributesEnd, at + resource.bytes.length);
    target.setUint8(at, CLOSE_OBJECT);
    target.setUint8(at + 1, LINE_END);
    this.#at = at + 2;
    if (this.#isMixed(resource)) this.#mix(resource.attributes, membersEnd);
  }

  /** Ends the attributes, unless that is done. */
  #endAttributes(): void {
    if (!this.#inAttributes) return;
    this.#inAttributes = false;
    this.#attributesEnd = this.#partsEnd;
  }

  /** Makes room for a part that begins with `run`. */
  #reserve(run: ConstantBytes): DataView<ArrayBuffer> {
    return this.#parts.reserve(this.#partsEnd, run.length + VALUE_LIMIT);
  }

  /** Copies some of the parts into the line. @returns where they end */
  #copy(from: number, end: number, at: number): number {
    this.#lines.bytes.set(this.#parts.bytes.subarray(from, end), at);
    return at + end - from;
  }

  #isMixed(resource: EncodedResource): boolean {
    if (resource.comparedWith !== this.#names.size) {
      resource.comparedWith = this.#names.size;
      // an object begins with the members whose names are numbers
      resource.isMixed = Object.keys(resource.attributes)
        .some((name) => this.#names.has(name) || /^\d+$/.test(name));
    }
    return resource.isMixed;
  }

  /**
   * Writes the line again, the slow way: a member stands where its name first occurs, with its last
   * value.
   */
  #mix(ofResource: Attributes, membersEnd: number): void {
    const members: Record<string, unknown> = JSON.parse(
      decoder.decode(this.#lines.bytes.subarray(this.#begun, membersEnd)) + "}",
    );
    const attributes: Attributes = JSON.parse(
      `{${decoder.decode(this.#parts.bytes.subarray(1, this.#attributesEnd))}}`,
    );
    const line = encoder.encode(
      `${toJson({ ...members, ...ofResource, ...attributes, ...members })}\n`,
    );
    this.#lines.reserve(this.#begun, line.length);
    this.#lines.bytes.set(line, this.#begun);
    this.#at = this.#begun + line.length;
  }

  /** @param quote what the value begins with */
  #keepKey({ index, name }: AttributeKey, quote: string): ConstantBytes {
    this.#names.add(name);
    return this.#keep(index, `,${toJson(name)}:${quote}`);
  }

  #keepFixed({ index, attributes }: FixedAttributes): ConstantBytes {
    for (const name of Object.keys(attributes)) this.#names.add(name);
    return this.#keep(index, membersOf(attributes));
  }

  #keep(index: number, text: string): ConstantBytes {
    return this.#runs[index] = run(text);
  }
}

function run(text: string): ConstantBytes {
  return new ConstantBytes(encoder.encode(text));
}

function kindRun(kind: keyof typeof SpanKind): ConstantBytes {
  return run(`","kind":"${kind}","status":"`);
}

function toJson(value: unknown): string {
  return printableJson(JSON.stringify(value));
}

/** JSON text without its quotes. */
function escaped(text: string): string {
  return toJson(text).slice(1, -1);
}

/** The members of a JSON object, a comma before each. */
function membersOf(attributes: Readonly<Attributes>): string {
  const members = toJson(attributes).slice(1, -1);
  return members === "" ? "" : `,${members}`;
}

function encodeResource(all: Readonly<Attributes>): EncodedResource {
  const attributes = Object.fromEntries(
    Object.entries(all).filter(([name]) => !MEMBERS.has(name)),
  );
  const bytes = encoder.encode(membersOf(attributes));
  return { attributes, bytes, comparedWith: -1, isMixed: false };
}

/** Two hexadecimal digits of each byte. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) => {
  const digits = byte.toString(16).padStart(2, "0");
  return digits.charCodeAt(0) << 8 | digits.charCodeAt(1);
});

/** Writes an id in lower-case hex. @returns where it ends */
function writeId({ words }: Id, target: DataView, at: number): number {
  for (let i = 0; i < words.length; i++, at += 8) {
    const word = words[i] ?? 0;
    target.setUint16(at, HEX[word & 0xff] ?? 0);
    target.setUint16(at + 2, HEX[word >>> 8 & 0xff] ?? 0);
    target.setUint16(at + 4, HEX[word >>> 16 & 0xff] ?? 0);
    target.setUint16(at + 6, HEX[word >>> 24] ?? 0);
  }
  return at;
}

/** Batches in binary protobuf: `ExportTraceServiceRequest`. */
import type { Resource } from "../../../npm/opentelemetry/resources.ts";
import type { SessionBatch } from "../../../src/session/batch.ts";
import { GrowingBuffer } from "../../../src/bytes/growing_buffer.ts";
import type { Session } from "../../../src/session/session.ts";
import type { SpanSource } from "../../../src/span/span_sink.ts";
import { SCOPE } from "../../../src/span/every_span.ts";
import { concat, delimited, varintSize } from "./fields.ts";
import { encodeResource } from "./resource.ts";
import { SPAN_LIMIT, SpanWriter } from "./span_writer.ts";

const SCOPE_BYTES = delimited(1, concat(delimited(1, SCOPE.name), delimited(2, SCOPE.version)));
const SCHEMA_URL_BYTES = delimited(3, SCOPE.schemaUrl);
const RESOURCE_SPANS = 1 << 3 | 2; // ExportTraceServiceRequest.resource_spans
const SCOPE_SPANS = 2 << 3 | 2; // ResourceSpans.scope_spans
const LENGTH_LIMIT = 5; // bytes of a length
const NONE = -1;

const MOST_SPARE = 2; // buffers
const USUAL_SPAN = 1024; // bytes

/**
 * Writes requests with the same bytes as the official serializer: spans are grouped by resource,
 * each group at the place of its first span. A resource is encoded only once.
 */
export class TraceRequestEncoder {
  readonly #spans: SpanSource;
  readonly #writer = new SpanWriter();
  readonly #groups = new Groups();
  readonly #resources = new WeakMap<Resource, Uint8Array>();
  readonly #spare: ArrayBuffer[] = [];
  #buffer = new GrowingBuffer();
  #spanSize = USUAL_SPAN; // of the last group, on average

  constructor(spans: SpanSource) {
    this.#spans = spans;
  }

  /** The request with a span for each session. Its bytes stay as they are until `recycle`. */
  encode(batch: SessionBatch): Uint8Array<ArrayBuffer> {
    this.#begin(batch.length * this.#spanSize);
    const session = batch.at(0);
    const groups = this.#groups;
    groups.clear();
    groups.fill(batch.length, (index) => this.#spans.resourceOf(session.moveTo(index)));
    for (let group = 0; group < groups.length; group++) this.#writeGroup(group, session);
    const bytes = this.#buffer.bytes.subarray(0, this.#writer.at);
    this.#buffer = new GrowingBuffer();
    return bytes;
  }

  /** Takes back the bytes of a request that nothing reads any more, and uses them again. */
  recycle({ buffer }: Uint8Array): void {
    if (buffer instanceof ArrayBuffer && this.#spare.length < MOST_SPARE) this.#spare.push(buffer);
  }

  #begin(expected: number): void {
    const size = expected + 2 * SPAN_LIMIT;
    const spare = this.#spare.pop();
    // one that is too small would grow by doubling, and leave garbage behind
    const buffer = spare !== undefined && spare.byteLength >= size ? spare : new ArrayBuffer(size);
    this.#buffer = new GrowingBuffer(buffer);
    this.#writer.attach(this.#buffer.view, 0);
  }

  #writeGroup(group: number, session: Session): void {
    const writer = this.#writer;
    const resource = this.#resourceBytes(this.#groups.resource(group));
    const expected = this.#groups.count(group) * this.#spanSize + SCOPE_BYTES.length +
      SCHEMA_URL_BYTES.length;
    this.#reserve(resource.length + SCOPE_BYTES.length);
    const resourceSpans = this.#open(RESOURCE_SPANS, expected + resource.length);
    this.#append(resource);
    const scopeSpans = this.#open(SCOPE_SPANS, expected);
    this.#append(SCOPE_BYTES);
    const first = writer.at;
    for (let i = this.#groups.first(group); i !== NONE; i = this.#groups.next(i)) {
      this.#reserve(0);
      this.#spans.describe(session.moveTo(i), writer);
    }
    this.#spanSize = Math.ceil((writer.at - first) / this.#groups.count(group));
    this.#append(SCHEMA_URL_BYTES);
    this.#close(scopeSpans, expected);
    this.#close(resourceSpans, expected + resource.length);
  }

  #resourceBytes(resource: Resource): Uint8Array {
    const known = this.#resources.get(resource);
    if (known !== undefined) return known;
    const bytes = encodeResource(resource);
    this.#resources.set(resource, bytes);
    return bytes;
  }

  /** Begins a message of about `expected` bytes. @returns where its length goes */
  #open(tag: number, expected: number): number {
    const { at } = this.#writer;
    this.#buffer.view.setUint8(at, tag);
    this.#writer.at = at + 1 + varintSize(expected);
    return at + 1;
  }

  /** Writes the length of a message; if its size is not the expected one, the content moves. */
  #close(at: number, expected: number): void {
    const content = at + varintSize(expected);
    const length = this.#writer.at - content;
    const size = varintSize(length);
    if (at + size !== content) {
      this.#reserve(LENGTH_LIMIT);
      this.#buffer.bytes.copyWithin(at + size, content, this.#writer.at);
      this.#writer.at = at + size + length;
    }
    for (let i = 0; i < size; i++) {
      this.#buffer.view.setUint8(at + i, length >>> 7 * i & 0x7f | (i < size - 1 ? 0x80 : 0));
    }
  }

  #append(bytes: Uint8Array): void {
    this.#buffer.bytes.set(bytes, this.#writer.at);
    this.#writer.at += bytes.length;
  }

  /** Makes room for `size` bytes, and for a span or what is written around one. */
  #reserve(size: number): void {
    const { at } = this.#writer;
    const { view } = this.#buffer;
    const target = this.#buffer.reserve(at, size + SPAN_LIMIT);
    if (target !== view) this.#writer.attach(target, at);
  }
}

/** The sessions of a batch by their resource, in the order in which resources first occur. */
class Groups {
  readonly #byResource = new Map<Resource, number>();
  readonly #resources: Resource[] = [];
  readonly #first: number[] = [];
  readonly #last: number[] = [];
  readonly #count: number[] = [];
  #next = new Int32Array(0); // by session: the next of its group

  get length(): number {
    return this.#resources.length;
  }

  fill(sessions: number, resourceOf: (index: number) => Resource): void {
    if (this.#next.length < sessions) this.#next = new Int32Array(sessions);
    let last: Resource | undefined;
    let group = NONE;
    for (let i = 0; i < sessions; i++) {
      const resource = resourceOf(i);
      if (resource !== last) group = this.#byResource.get(resource) ?? this.#add(resource);
      last = resource;
      this.#append(i, group);
    }
  }

  clear(): void {
    this.#byResource.clear();
    this.#resources.length =
      this.#first.length =
      this.#last.length =
      this.#count.length =
        0;
  }

  resource(group: number): Resource {
    const resource = this.#resources[group];
    if (resource === undefined) throw new RangeError(`cannot find group ${group}`);
    return resource;
  }

  count(group: number): number {
    return this.#count[group] ?? 0;
  }

  /** The first session of a group. */
  first(group: number): number {
    return this.#first[group] ?? NONE;
  }

  /** The session after another of its group; NONE after the last. */
  next(session: number): number {
    return this.#next[session] ?? NONE;
  }

  #add(resource: Resource): number {
    const group = this.#resources.push(resource) - 1;
    this.#byResource.set(resource, group);
    this.#count[group] = 0;
    this.#first[group] = this.#last[group] = NONE;
    return group;
  }

  #append(session: number, group: number): void {
    const last = this.#last[group] ?? NONE;
    if (last === NONE) this.#first[group] = session;
    else this.#next[last] = session;
    this.#last[group] = session;
    this.#next[session] = NONE;
    this.#count[group] = this.count(group) + 1;
  }
}

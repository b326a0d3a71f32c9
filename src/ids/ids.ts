/** Trace and span ids: functions of the session, the same at both ends and at every retry. */
import { hashKey } from "./hash_key.ts";
import { RECORD } from "../session/record_layout.ts";
import type { Session } from "../session/session.ts";
import { SipHash } from "./siphash.ts";

/** A trace or span id. Its owner overwrites it for the next session. */
export class Id {
  /** Its bytes, as words in the machine's order. */
  readonly words: Int32Array<ArrayBuffer>;

  /** @param words 4 of a trace id, 2 of a span id */
  constructor(words: 2 | 4) {
    this.words = new Int32Array(words);
  }

  /** Lower-case hex. */
  get hex(): string {
    return new Uint8Array(this.words.buffer).toHex();
  }

  /** Takes the last hash. W3C Trace Context: an id of zeros is invalid. */
  take(hash: Pick<SipHash, "words">): void {
    const { words } = this;
    let all = 0;
    for (let i = 0; i < words.length; i++) all |= words[i] = hash.words[i] ?? 0;
    if (all === 0) words[0] = 1;
  }
}

/** The ids of the end that was identified last. */
export interface Ids {
  readonly trace: Id;
  readonly span: Id;
  /** The id of a report of a session that is still open: `span` is kept for the session's end. */
  readonly report: Id | undefined;
  /** The other end's span id; undefined if there is no other end or none is known. */
  readonly peer: Id | undefined;
}

/**
 * Computes ids with a keyed one-way hash, because the sequence numbers of a live session are a
 * secret: anyone who knows them can inject data into it.
 */
export class IdHasher {
  readonly #ids: HashedIds;

  /** @param key the site's `trace.key`; empty for the fixed default */
  constructor(key: string) {
    this.#ids = new HashedIds(new SipHash(hashKey(key)));
  }

  /** The ids of `session`, in one object that is valid until the next call. */
  identify(session: Session): Ids {
    this.#ids.identify(session);
    return this.#ids;
  }
}

/** Computes the other end's id only when it is asked for: few spans name it. */
class HashedIds implements Ids {
  readonly trace = new Id(4);
  readonly span = new Id(2);
  readonly #report = new Id(2);
  readonly #peer = new Id(2);
  readonly #hash: SipHash;
  readonly #pair = new DataView(new ArrayBuffer(8));
  readonly #attempt = new DataView(new ArrayBuffer(20));
  readonly #end = new DataView(new ArrayBuffer(20)); // a trace id and an end's number
  readonly #reported = new DataView(new ArrayBuffer(24)); // and the report's
  #own = 0;
  #other = 0; // the same as #own if there is no other end
  #interim = 0;

  constructor(hash: SipHash) {
    this.#hash = hash;
  }

  identify(session: Session): void {
    if (session.joinable) this.#identifyPair(session);
    else this.#identifyAlone(session);
    this.trace.take(this.#hash);
    for (let i = 0; i < 4; i++) this.#end.setInt32(4 * i, this.trace.words[i] ?? 0, true);
    this.#hashEnd(this.#own, this.span);
    this.#interim = session.interim;
  }

  get report(): Id | undefined {
    if (this.#interim === 0) return undefined;
    for (let i = 0; i < 4; i++) this.#reported.setInt32(4 * i, this.trace.words[i] ?? 0, true);
    this.#reported.setInt32(16, this.#own, true);
    this.#reported.setInt32(20, this.#interim, true);
    this.#hash.hash64(this.#reported);
    this.#report.take(this.#hash);
    return this.#report;
  }

  get peer(): Id | undefined {
    if (this.#own === this.#other) return undefined;
    this.#hashEnd(this.#other, this.#peer);
    return this.#peer;
  }

  #identifyPair(session: Session): void {
    const local = this.#own = session.localInitialNumber;
    // a socket connected to itself is its own peer
    const peer = this.#other = session.peerInitialNumber;
    this.#pair.setUint32(0, Math.min(local, peer), true);
    this.#pair.setUint32(4, Math.max(local, peer), true);
    this.#hash.hash128(this.#pair);
  }

  /** For what only one end knows. */
  #identifyAlone(session: Session): void {
    const own = this.#own = this.#other = session.established ? 0 : session.attemptSequenceNumber;
    this.#attempt.setUint32(0, own, true);
    this.#attempt.setInt32(4, session.word(RECORD.cookie), true);
    this.#attempt.setInt32(8, session.word(RECORD.cookie + 4), true);
    this.#attempt.setInt32(12, session.word(RECORD.start_ns), true);
    this.#attempt.setInt32(16, session.word(RECORD.start_ns + 4), true);
    this.#hash.hash128(this.#attempt);
  }

  #hashEnd(number: number, id: Id): void {
    this.#end.setUint32(16, number, true);
    this.#hash.hash64(this.#end);
    id.take(this.#hash);
  }
}

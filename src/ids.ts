/** Trace and span ids: functions of the session, the same at both ends and at every retry. */
import { createHash } from "node:crypto";
import type { Session } from "./session.ts";
import { SipHash } from "./siphash.ts";

/** The ids of one session end, in lower-case hex. */
export interface Ids {
  /** 32 digits. */
  readonly traceId: string;
  /** 16 digits. */
  readonly spanId: string;
  /** Of a report of a session that is still open, whose own span id `spanId` is kept for its end. */
  readonly reportId: string | undefined;
  /** The other end's span id, 16 digits; undefined where there is no other end or none is known. */
  readonly peerSpanId: string | undefined;
}

/**
 * Computes ids with a keyed one-way hash, because the sequence numbers of a live session are a
 * secret: who knows them can inject into it.
 */
export class IdHasher {
  readonly #hash: SipHash;
  readonly #pair = new DataView(new ArrayBuffer(8));
  readonly #attempt = new DataView(new ArrayBuffer(20));
  readonly #end = new DataView(new ArrayBuffer(20));
  readonly #report = new DataView(new ArrayBuffer(24));

  /** @param key the site's `trace.key`; empty for the fixed default */
  constructor(key: string) {
    const digest = createHash("sha256").update(`tcpspan ${key}`).digest();
    this.#hash = new SipHash(new Uint8Array(digest.subarray(0, 16)));
  }

  /** The ids of `session`. */
  identify(session: Session): Ids {
    const numbers = session.initialSequenceNumbers;
    if (numbers === undefined) {
      // one end alone knows of it
      const own = session.established ? 0 : session.attemptSequenceNumber;
      this.#attempt.setUint32(0, own, true);
      this.#attempt.setBigUint64(4, session.cookie, true);
      this.#attempt.setBigUint64(12, session.startBootNs, true);
      const traceId = this.#traceId(this.#attempt);
      const reportId = this.#reportId(own, session.interim);
      return { traceId, spanId: this.#spanId(own), reportId, peerSpanId: undefined };
    }
    const { local, peer } = numbers;
    this.#pair.setUint32(0, Math.min(local, peer), true);
    this.#pair.setUint32(4, Math.max(local, peer), true);
    const traceId = this.#traceId(this.#pair);
    const spanId = this.#spanId(local);
    const reportId = this.#reportId(local, session.interim);
    // a socket connected to itself is its own peer
    const peerSpanId = local === peer ? undefined : this.#spanId(peer);
    return { traceId, spanId, reportId, peerSpanId };
  }

  #traceId(input: DataView<ArrayBuffer>): string {
    this.#hash.hash128(new Uint8Array(input.buffer));
    const id = nonZero(this.#hash.output);
    new Uint8Array(this.#end.buffer).set(id);
    return id.toHex();
  }

  /** Of the end whose initial number is `number`, in the trace computed last. */
  #spanId(number: number): string {
    this.#end.setUint32(16, number, true);
    this.#hash.hash64(new Uint8Array(this.#end.buffer));
    return nonZero(this.#hash.output.subarray(0, 8)).toHex();
  }

  /** Of the `interim`th report of the end whose initial number is `number`; undefined for 0. */
  #reportId(number: number, interim: number): string | undefined {
    if (interim === 0) return undefined;
    new Uint8Array(this.#report.buffer).set(new Uint8Array(this.#end.buffer));
    this.#report.setUint32(16, number, true);
    this.#report.setUint32(20, interim, true);
    this.#hash.hash64(new Uint8Array(this.#report.buffer));
    return nonZero(this.#hash.output.subarray(0, 8)).toHex();
  }
}

/** W3C Trace Context: an id of zeros is invalid. */
function nonZero(id: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (id.every((byte) => byte === 0)) id[0] = 1;
  return id;
}

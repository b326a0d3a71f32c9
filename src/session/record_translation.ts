/**
 * Translates records of another version of tcpspan to today's, by a description of their layout.
 */
import { RECORD_DESCRIPTION } from "./record_layout.ts";

const LARGEST_RECORD = 65_536; // bytes; a description of a larger one is damaged

/** Where a member lies in its record, in bytes. */
interface Member {
  readonly offset: number;
  readonly size: number;
}

interface Layout {
  readonly size: number;
  readonly members: ReadonlyMap<string, Member>;
}

/** Bytes that lie together in both layouts. */
interface Move {
  readonly from: number;
  readonly to: number;
  length: number;
}

/**
 * From one layout to today's, member by member: by name, at any place. A shorter member is extended
 * with zeros, a longer one loses its most significant bytes (little-endian), and one that the other
 * layout lacks is zero.
 */
export class RecordTranslation {
  /** Size of one record of the other layout, in bytes. */
  readonly sourceSize: number;
  /** Whether the layouts are the same, so that records can be used as they are. */
  readonly isIdentity: boolean;
  readonly #moves: readonly Move[];

  private constructor(source: Layout, isIdentity: boolean) {
    this.sourceSize = source.size;
    this.isIdentity = isIdentity;
    this.#moves = isIdentity ? [] : movesFrom(source);
  }

  /**
   * The translation from the layout that `description` gives, in the form of `RECORD_DESCRIPTION`;
   * undefined if it gives none.
   */
  static of(description: string): RecordTranslation | undefined {
    const source = parse(description);
    return source && new RecordTranslation(source, description === RECORD_DESCRIPTION);
  }

  /**
   * Translates `count` records at the beginning of `source` to the beginning of `target`, which is
   * other memory.
   * @throws {RangeError} if one of them is too short
   */
  translate(source: Uint8Array, count: number, target: Uint8Array): void {
    const { sourceSize } = this;
    if (source.length < count * sourceSize || target.length < count * TODAY.size) {
      throw new RangeError(
        `cannot translate ${count} records from ${source.length} to ${target.length} bytes`,
      );
    }
    if (this.isIdentity) return target.set(source.subarray(0, count * sourceSize));
    target.fill(0, 0, count * TODAY.size);
    for (let i = 0; i < count; i++) {
      for (const { from, to, length } of this.#moves) {
        const start = i * sourceSize + from;
        const end = i * TODAY.size + to;
        for (let k = 0; k < length; k++) target[end + k] = source[start + k] ?? 0;
      }
    }
  }
}

function parse(description: string): Layout | undefined {
  const [head = "", ...rest] = description.split(" ");
  const size = Number(/^size:(\d{1,6})$/.exec(head)?.[1]);
  if (!(size > 0 && size <= LARGEST_RECORD)) return undefined;
  const members = new Map<string, Member>();
  for (const text of rest) {
    const found = /^(\w+):(\d{1,6}):(\d{1,6})$/.exec(text);
    if (found === null) return undefined;
    const [, name = "", ...numbers] = found;
    const [offset = 0, length = 0] = numbers.map(Number);
    if (length === 0 || offset + length > size || members.has(name)) return undefined;
    members.set(name, { offset, size: length });
  }
  return members.size === 0 ? undefined : { size, members };
}

const TODAY = known(parse(RECORD_DESCRIPTION));

function known(layout: Layout | undefined): Layout {
  if (layout === undefined) throw new TypeError("cannot read RECORD_DESCRIPTION");
  return layout;
}

/** What to copy for today's record, in its order; neighbours in both layouts go together. */
function movesFrom(source: Layout): Move[] {
  const moves: Move[] = [];
  for (const [name, { offset: to, size }] of TODAY.members) {
    const member = source.members.get(name);
    if (member === undefined) continue;
    const length = Math.min(size, member.size);
    const last = moves.at(-1);
    const joins = last !== undefined && last.from + last.length === member.offset &&
      last.to + last.length === to;
    if (joins) last.length += length;
    else moves.push({ from: member.offset, to, length });
  }
  return moves;
}

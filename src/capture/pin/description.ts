/** The layout of records and variables of a pinned program, as the program describes it. */
import { join } from "node:path";
import { lookUp, mapInfo } from "../../../ffi/map.ts";
import { Mapping } from "../../../ffi/mapping.ts";
import { Pinned } from "../../../ffi/pinned.ts";
import { HostError } from "../../messages/errors.ts";
import { RecordTranslation } from "../../session/record_translation.ts";

/** The layout of the records and variables that are pinned in `folder`. @throws {HostError} */
export function describedIn(folder: string): { translation: RecordTranslation; variables: string } {
  using map = new Pinned(join(folder, "description"));
  const value = new Uint8Array(mapInfo(map.fd).valueSize);
  lookUp(map.fd, new Uint8Array(4), value);
  const text = new TextDecoder().decode(value).replace(/\0.*$/s, "");
  const [records = "", variables = ""] = text.split("\n");
  const translation = RecordTranslation.of(records);
  if (translation === undefined) {
    throw new HostError(
      `cannot read what an earlier tcpspan left in ${folder}: its records have an unknown ` +
        "layout; remove it: tcpspan unpin",
    );
  }
  return { translation, variables };
}

/** The variables of another version's program. */
export class Variables implements Disposable {
  readonly #mapping: Mapping;
  readonly #layout: string;

  /** @param layout their places: `NAME:OFFSET:SIZE …` */
  constructor(path: string, layout: string) {
    using map = new Pinned(path);
    this.#mapping = new Mapping(map.fd, mapInfo(map.fd).valueSize, "read-write");
    this.#layout = layout;
  }

  /**
   * Undefined if that version has no such variable.
   * @param word of an array
   */
  get(name: string, word = 0): bigint | undefined {
    const offset = this.#offsetOf(name, word);
    return offset === undefined ? undefined : this.#view.getBigUint64(offset, true);
  }

  set(name: string, value: bigint): void {
    const offset = this.#offsetOf(name);
    if (offset !== undefined) this.#view.setBigUint64(offset, value, true);
  }

  get #view(): DataView {
    return new DataView(this.#mapping.buffer);
  }

  #offsetOf(name: string, word = 0): number | undefined {
    const found = new RegExp(`(?:^| )${name}:(\\d+):(\\d+)(?: |$)`).exec(this.#layout);
    const [offset, size] = [Number(found?.[1]) + word * 8, Number(found?.[2])];
    const isThere = (word + 1) * 8 <= size && offset + 8 <= this.#mapping.length;
    return isThere ? offset : undefined;
  }

  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
  }
}

/**
 * Text from outside, made safe to look at: a process chooses its own name (prctl), and may put a
 * terminal's escape sequences into it, or characters that hide or reorder those beside them.
 */

const SPACE = 0x20;
const DELETE = 0x7f;
const BACKSLASH = 0x5c;

/**
 * Control characters (C0, DEL, C1), format characters (bidirectional marks and overrides, zero-width
 * characters, tags), line and paragraph separators, and others that are drawn as nothing.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const UNPRINTABLE_BUT_LINE_END = new RegExp(`(?!\n)${UNPRINTABLE.source}`, "gu");
const ALL_UNPRINTABLE = new RegExp(UNPRINTABLE.source, "gu");
const INDENT = "  ";
const NOT_ASCII = /[\x7f-\uffff]/;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * UTF-8 bytes as text that shows what is in them. A backslash becomes `\\`; a control character of
 * ASCII, or a byte that is not UTF-8, `\x1b`; another character that can't be seen, `\u{202e}`.
 *
 * @param columns where the text is cut, one column a character; an escape that does not fit is left
 * out as a whole
 */
export function printable(bytes: Uint8Array, columns = Infinity): string {
  const plain = plainText(bytes, columns);
  if (plain !== undefined) return plain;
  let text = "";
  let left = columns;
  for (const { shown, width } of pieces(bytes)) {
    if (width > left) break;
    text += shown;
    left -= width;
  }
  return text;
}

/**
 * A message on one line: what can't be seen is escaped as `printable` does, but a backslash stays,
 * since what a message quotes is escaped already.
 */
export function printableLine(text: string): string {
  return text.toWellFormed().replace(
    ALL_UNPRINTABLE,
    (character) => shownAs(character.codePointAt(0) ?? 0),
  );
}

/**
 * The lines of a text that its source wrote as lines, such as the kernel or Deno, without frames of
 * a stack. All but the first are indented, so that none looks like a message of its own.
 */
export function linesOf(text: string): string[] {
  const [first = "", ...others] = text.split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !/^\s+at /.test(line));
  const indent = others.every((line) => line.startsWith(INDENT)) ? "" : INDENT;
  return [first, ...others.map((line) => indent + line)];
}

/**
 * JSON text with what can't be seen escaped as well: `JSON.stringify` escapes no more than JSON
 * demands. Line ends between values stay.
 */
export function printableJson(json: string): string {
  if (!NOT_ASCII.test(json)) return json;
  return json.replace(UNPRINTABLE_BUT_LINE_END, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${hex(character.charCodeAt(i), 4)}`;
    }
    return escaped;
  });
}

/** The fast path for plain ASCII, as almost every name is; undefined for other text. */
function plainText(bytes: Uint8Array, columns: number): string | undefined {
  let text = "";
  for (let i = 0; i < bytes.length && i < columns; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < SPACE || byte >= DELETE || byte === BACKSLASH) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** A character as it is shown, and its width in columns. */
interface Piece {
  readonly shown: string;
  readonly width: number;
}

function* pieces(bytes: Uint8Array): Generator<Piece> {
  for (let i = 0; i < bytes.length;) {
    const byte = bytes[i] ?? 0;
    const length = sequenceLength(byte);
    const character = decode(bytes.subarray(i, i + length));
    if (character === undefined) {
      yield escape(`\\x${hex(byte, 2)}`);
      i++;
      continue;
    }
    if (byte === BACKSLASH) yield escape("\\\\");
    else if (!UNPRINTABLE.test(character)) yield { shown: character, width: 1 };
    else yield escape(shownAs(character.codePointAt(0) ?? 0));
    i += length;
  }
}

/** The escape of a character that can't be seen. */
function shownAs(codePoint: number): string {
  return codePoint <= DELETE ? `\\x${hex(codePoint, 2)}` : `\\u{${hex(codePoint, 1)}}`;
}

function escape(shown: string): Piece {
  return { shown, width: shown.length };
}

/** Bytes of the character that `lead` begins; 1 if it begins none. */
function sequenceLength(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

/** One character, or undefined if the bytes are not one. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

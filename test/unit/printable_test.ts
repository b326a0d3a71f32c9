import assert from "node:assert/strict";
import fc from "fast-check";
import { linesOf, printable, printableJson } from "../../src/messages/printable.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

const SHOWN: [what: string, bytes: Uint8Array, shown: string][] = [
  ["nothing as nothing", utf8(""), ""],
  ["plain ASCII as it is", utf8("Web Content #1~"), "Web Content #1~"],
  ["letters of any script unchanged", utf8("café-日本-🦕"), "café-日本-🦕"],
  ["a backslash as two, so that an escape can't be forged", utf8("\\x1b"), "\\\\x1b"],
  ["a terminal's escape sequence as text", utf8("\x1b[31mroot"), "\\x1b[31mroot"],
  ["a line end", utf8("a\nb"), "a\\x0ab"],
  ["a carriage return", utf8("a\rb"), "a\\x0db"],
  ["a tab", utf8("a\tb"), "a\\x09b"],
  ["DEL", utf8("a\x7f"), "a\\x7f"],
  ["C1 controls: CSI", utf8("\x9b31m"), "\\u{9b}31m"],
  ["C1 controls: next line", utf8("\x85"), "\\u{85}"],
  ["a right-to-left override", utf8("a\u202eb"), "a\\u{202e}b"],
  ["a right-to-left mark", utf8("\u200f"), "\\u{200f}"],
  ["an Arabic letter mark", utf8("\u061c"), "\\u{61c}"],
  ["a bidirectional isolate", utf8("\u2066"), "\\u{2066}"],
  ["a zero-width space", utf8("ng\u200binx"), "ng\\u{200b}inx"],
  ["a zero-width joiner", utf8("\u200d"), "\\u{200d}"],
  ["a byte order mark", utf8("\ufeffsh"), "\\u{feff}sh"],
  ["a soft hyphen", utf8("\u00ad"), "\\u{ad}"],
  ["a Hangul filler, which is an invisible letter", utf8("\u3164"), "\\u{3164}"],
  ["a variation selector", utf8("\ufe0f"), "\\u{fe0f}"],
  ["an interlinear annotation mark", utf8("\ufff9"), "\\u{fff9}"],
  ["a line separator", utf8("\u2028"), "\\u{2028}"],
  ["a paragraph separator", utf8("\u2029"), "\\u{2029}"],
  ["a tag character, beyond 16 bits", utf8("\u{e0041}"), "\\u{e0041}"],
  ["a byte that starts no character", Uint8Array.of(0x61, 0xff, 0x62), "a\\xffb"],
  ["a continuation byte alone", Uint8Array.of(0x80), "\\x80"],
  ["a character that was cut off", utf8("日").subarray(0, 2), "\\xe6\\x97"],
  ["an overlong form", Uint8Array.of(0xc0, 0xaf), "\\xc0\\xaf"],
  ["a surrogate", Uint8Array.of(0xed, 0xa0, 0x80), "\\xed\\xa0\\x80"],
  ["the replacement character itself unchanged", utf8("\ufffd"), "\ufffd"],
];

for (const [what, bytes, shown] of SHOWN) {
  Deno.test(`printable() shows ${what}`, () => assert.equal(printable(bytes), shown));
}

const LINES: [what: string, text: string, ...lines: string[]][] = [
  ["one line as it is", "one", "one"],
  ["nothing as an empty line", "", ""],
  ["further lines indented", "one\ntwo\nthree", "one", "  two", "  three"],
  [
    "lines that are indented already unchanged",
    "one\n  two\n    three",
    "one",
    "  two",
    "    three",
  ],
  ["no stack", "one\n    at f (file:///a.ts:1:2)\ntwo", "one", "  two"],
  ["a code frame with its columns", "one\n  |\n1 | x\n  | ~", "one", "    |", "  1 | x", "    | ~"],
  ["no empty lines", "one\n\n \n\ntwo\n", "one", "  two"],
  ["line ends of Windows", "one\r\ntwo\r\n", "one", "  two"],
  [
    "no line that looks like a message",
    "one\ntcpspan: lost 1 session",
    "one",
    "  tcpspan: lost 1 session",
  ],
];

for (const [what, text, ...lines] of LINES) {
  Deno.test(`linesOf() gives ${what}`, () => assert.deepEqual(linesOf(text), lines));
}

const CUT: [bytes: string, columns: number, shown: string][] = [
  ["abcdefghijk", 10, "abcdefghij"],
  ["abcdefghij", 10, "abcdefghij"],
  ["日本語", 2, "日本"],
  ["🦕🦕", 1, "🦕"],
  ["abcdef\x1b", 10, "abcdef\\x1b"],
  ["abcdefg\x1b", 10, "abcdefg"],
  ["abcdefg\x1bxyz", 10, "abcdefg"],
  ["abcdefghi\\", 10, "abcdefghi"],
  ["a\u202e", 9, "a\\u{202e}"],
  ["a\u202e", 8, "a"],
  ["abc", 0, ""],
];

for (const [text, columns, shown] of CUT) {
  Deno.test(`printable() cuts ${printable(utf8(text))} to ${columns} columns`, () => {
    assert.equal(printable(utf8(text), columns), shown);
  });
}

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

Deno.test("printable() shows every byte of any input, and nothing invisible", () => {
  const shortBytes = fc.uint8Array({ maxLength: 16 });
  const text = fc.string({ unit: "binary", maxLength: 8 }).map(utf8);
  fc.assert(fc.property(fc.oneof(shortBytes, text), (bytes) => {
    const shown = printable(bytes);
    assert.doesNotMatch(shown, UNSEEN);
    assert.deepEqual(bytesOf(shown), [...bytes]);
  }));
});

Deno.test("printable() never shows more columns than asked for, and cuts only at the end", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 16 }), fc.nat(20), (bytes, columns) => {
    const cut = printable(bytes, columns);
    assert.ok([...cut].length <= columns);
    assert.ok(printable(bytes).startsWith(cut));
    assert.deepEqual(bytesOf(cut), [...bytes].slice(0, bytesOf(cut).length));
  }));
});

/** The bytes that `shown` stands for; throws on half an escape. */
function bytesOf(shown: string): number[] {
  const unescaped: number[] = [];
  const token = /\\\\|\\x([0-9a-f]{2})|\\u\{([0-9a-f]+)\}|([^\\])/uy;
  while (token.lastIndex < shown.length) {
    const at = token.lastIndex;
    const match = token.exec(shown);
    assert.ok(match, `no half escape at ${at} of ${shown}`);
    const [, byte, codePoint, character] = match;
    if (byte !== undefined) unescaped.push(parseInt(byte, 16));
    else if (codePoint !== undefined) {
      unescaped.push(...utf8(String.fromCodePoint(parseInt(codePoint, 16))));
    } else unescaped.push(...utf8(character ?? "\\"));
  }
  return unescaped;
}

const JSON_TEXTS: [what: string, value: string, json: string][] = [
  ["ASCII as it is", 'a\\"b', String.raw`"a\\\"b"`],
  ["letters of any script unchanged", "日本🦕", '"日本🦕"'],
  ["C0 controls as JSON.stringify does", "\x1b\n", String.raw`"\u001b\n"`],
  ["DEL", "\x7f", String.raw`"\u007f"`],
  ["C1 controls", "\x9b", String.raw`"\u009b"`],
  ["bidirectional overrides", "\u202e", String.raw`"\u202e"`],
  ["zero-width characters", "\u200b\ufeff", String.raw`"\u200b\ufeff"`],
  ["line separators", "\u2028", String.raw`"\u2028"`],
  ["tag characters as two units", "\u{e0041}", String.raw`"\udb40\udc41"`],
];

for (const [what, value, json] of JSON_TEXTS) {
  Deno.test(`printableJson() shows ${what}`, () => {
    assert.equal(printableJson(JSON.stringify(value)), json);
  });
}

Deno.test("printableJson() keeps the line ends between values", () => {
  assert.equal(printableJson('"a"\n"\x7f"\n'), '"a"\n"\\u007f"\n');
});

Deno.test("printableJson() does not change the value, and shows nothing invisible", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const json = printableJson(JSON.stringify(text));
    assert.equal(JSON.parse(json), text);
    assert.doesNotMatch(json, UNSEEN);
  }));
});

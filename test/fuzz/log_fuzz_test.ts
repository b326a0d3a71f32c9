import assert from "node:assert/strict";
import { type LogFormat, Logger } from "../../src/messages/log.ts";
import { assertSafeLine, toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

/** Any text in a message and its fields gives one line, and JSON can be read back whole. */
fuzz("log", (bytes) => {
  for (const text of [toText(bytes), unitsOf(bytes)]) {
    const [message = "", exporter = "", place = ""] = text.split("\0");
    const fields = { exporter, sessions: bytes.length, place };
    for (const level of ["error", "warn", "info"] as const) {
      const line = lineOf("text", (log) => log[level](message, fields));
      assert.ok(line.startsWith("tcpspan: "));
      const { time, ...entry } = JSON.parse(lineOf("json", (log) => log[level](message, fields)));
      assert.ok(Date.parse(time) > 0);
      assert.deepEqual(entry, { level, message, ...fields });
    }
    const warning = lineOf("json", (log) => log.limited({ exporter })(message));
    assert.equal(JSON.parse(warning).message, message);
  }
}, {
  tokens: [
    ..."\0 \n \r \r\n \t \x1b[2J \x1b]0; \x7f \x85 \x9b31m".split(" "),
    ..."\u061c \u200b \u200d \u200f \u2028 \u2029 \u202e \u2066 \ufeff \ufe0f \u{e0041}".split(" "),
    '"',
    "\\",
    '"}\n{"level":"error"}',
    "\ntcpspan: tracing",
  ],
});

/** The line that is written, without its end; it must be safe to show. */
function lineOf(format: LogFormat, write: (log: Logger) => void): string {
  let all = "";
  const log = new Logger((line) => all += line);
  log.format = format;
  write(log);
  assert.ok(all.endsWith("\n"));
  const line = all.slice(0, -1);
  assertSafeLine(line);
  return line;
}

/** The bytes as UTF-16, also lone surrogates. */
function unitsOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    text += String.fromCharCode((bytes[i] ?? 0) | (bytes[i + 1] ?? 0) << 8);
  }
  return text;
}

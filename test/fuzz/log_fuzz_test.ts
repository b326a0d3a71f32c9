/** Whatever is in a message, it stays one line, and nothing in it acts on a terminal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type LogFormat, Logger } from "../../src/log.ts";

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom(...'\n\r\x1b\x9b\u2028\u202e\u200b\\"{}: a', "tcpspan: "),
    maxLength: 20,
  }),
);
const fields = fc.record({
  exporter: text,
  sessions: fc.oneof(fc.nat(), fc.double()),
  place: text,
}, { requiredKeys: [] });
const level = fc.constantFrom("error" as const, "warn" as const, "info" as const);

function written(format: LogFormat, write: (log: Logger) => void): string {
  let all = "";
  const log = new Logger((line) => all += line);
  log.format = format;
  write(log);
  return all;
}

Deno.test("any message and fields make one line of JSON without a character unseen", () => {
  fc.assert(
    fc.property(level, text, fields, (level, message, fields) => {
      const line = written("json", (log) => log[level](message, fields));
      assert.ok(line.endsWith("\n"));
      assert.doesNotMatch(line.slice(0, -1), UNSEEN);
      const { time, ...entry } = JSON.parse(line);
      assert.ok(Date.parse(time) > 0);
      // JSON has no NaN and no infinity, and no negative zero
      assert.deepEqual(entry, JSON.parse(JSON.stringify({ level, message, ...fields })));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("any message makes one line of text without a character unseen", () => {
  fc.assert(
    fc.property(level, text, fields, (level, message, fields) => {
      const line = written("text", (log) => log[level](message, fields));
      assert.ok(line.startsWith("tcpspan: ") && line.endsWith("\n"));
      assert.doesNotMatch(line.slice(0, -1), UNSEEN);
    }),
    { numRuns: 2000 },
  );
});

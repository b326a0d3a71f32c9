/** Messages: text for people, JSON for log shippers, one line each. */
import assert from "node:assert/strict";
import { logFormat } from "../../src/run/flags.ts";
import { type LogFields, type LogFormat, Logger } from "../../src/messages/log.ts";
import { stopClock } from "../clock.ts";
import { HEALTH } from "../health.ts";

function logger(format: LogFormat) {
  const lines: string[] = [];
  const log = new Logger((line) => lines.push(line));
  log.format = format;
  return { log, lines };
}

const TEXTS: [what: string, message: string, line: string][] = [
  ["the program's name in front", "tracing", "tcpspan: tracing\n"],
  ["letters of any script as they are", "日本🦕", "tcpspan: 日本🦕\n"],
  ["backslashes unchanged, because quotes are escaped", String.raw`"a\nb"`, 'tcpspan: "a\\nb"\n'],
  ["line ends escaped, so that none can be forged", "a\ntcpspan: b", "tcpspan: a\\x0atcpspan: b\n"],
  ["terminal escapes escaped", "\x1b[31mred\x9b0m", "tcpspan: \\x1b[31mred\\u{9b}0m\n"],
  ["bidirectional marks escaped", "a\u202eb", "tcpspan: a\\u{202e}b\n"],
];

for (const [what, message, line] of TEXTS) {
  Deno.test(`a message as text has ${what}`, () => {
    for (const level of ["error", "warn", "info"] as const) {
      const { log, lines } = logger("text");
      log[level](message, { exporter: "otlp/a", sessions: 1, place: "ring_full" });
      assert.deepEqual(lines, [line]);
    }
  });
}

const OBJECTS: [
  what: string,
  message: string | readonly string[],
  fields: LogFields | undefined,
  end: string,
][] = [
  ["time, level and message", "tracing", undefined, '"message":"tracing"}'],
  [
    "the fields that it gets",
    "lost 2 sessions: its queue was full",
    {
      exporter: "otlp/a",
      sessions: 2,
      place: "queue_full",
    },
    '"message":"lost 2 sessions: its queue was full","exporter":"otlp/a","sessions":2,' +
    '"place":"queue_full"}',
  ],
  ["line ends and marks escaped", "a\nb\u202e", undefined, String.raw`"message":"a\nb\u202e"}`],
  ["several lines in one message", ["one", "two"], undefined, String.raw`"message":"one\ntwo"}`],
];

for (const [what, message, fields, end] of OBJECTS) {
  Deno.test(`a message as JSON has ${what}`, () => {
    const { log, lines } = logger("json");
    const before = Date.now();
    log.error(message, fields);
    const [line = "", ...others] = lines;
    assert.deepEqual(others, []);
    assert.ok(line.endsWith(`,"level":"error",${end}\n`), line);
    const { time } = JSON.parse(line);
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Date.parse(time) >= before && Date.parse(time) <= Date.now());
  });
}

Deno.test("the level is that of the method", () => {
  const { log, lines } = logger("json");
  log.error("");
  log.warn("");
  log.info("");
  assert.deepEqual(lines.map((line) => JSON.parse(line).level), ["error", "warn", "info"]);
});

Deno.test("only a list of lines makes a message of several lines", () => {
  const { log, lines } = logger("text");
  log.error(["FILE:1:1: one", "FILE:2:1: two\nforged"]);
  assert.deepEqual(lines, ["tcpspan: FILE:1:1: one\nFILE:2:1: two\\x0aforged\n"]);
});

Deno.test("a report is lines of text, or one JSON object", () => {
  const text = logger("text");
  text.log.report("health", ["  one", "  two\nforged"], { health: HEALTH });
  assert.deepEqual(text.lines, ["tcpspan: health\n  one\n  two\\x0aforged\n"]);
  const json = logger("json");
  json.log.report("health", ["  one"], { health: HEALTH });
  const { time: _, ...entry } = JSON.parse(json.lines.join(""));
  assert.deepEqual(entry, { level: "info", message: "health", health: HEALTH });
});

Deno.test("warnings from one source are limited, and the suppressed ones are counted", () => {
  const { log, lines } = logger("text");
  using clock = stopClock();
  const warn = log.limited({ exporter: "otlp/a" });
  for (let i = 0; i < 1000; i++) warn(`warning ${i}`);
  assert.deepEqual(lines, Array.from({ length: 30 }, (_, i) => `tcpspan: warning ${i}\n`));
  clock.advance(59_999);
  warn("too soon");
  assert.equal(lines.length, 30);
  clock.advance(1);
  warn("later");
  warn("and later");
  assert.deepEqual(lines.slice(30), [
    "tcpspan: later (warnings left out before this one: 971)\n",
    "tcpspan: and later\n",
  ]);
});

Deno.test("limited warnings may have several lines, which no one takes for other messages", () => {
  const text = logger("text");
  text.log.limited({ exporter: "m" })("m: one\ntcpspan: two\x1b[2J\r\n  three\rfour");
  assert.deepEqual(text.lines, [
    "tcpspan: m: one\n  tcpspan: two\\x1b[2J\n    three\\x0dfour\n",
  ]);
  const json = logger("json");
  json.log.limited({ exporter: "m" })("m: one\ntwo");
  assert.equal(json.lines.length, 1);
  assert.equal(JSON.parse(json.lines.join("")).message, "m: one\ntwo");
});

Deno.test("limited warnings have the fields of their source", () => {
  const { log, lines } = logger("json");
  const warn = log.limited({ exporter: "otlp/a" });
  warn("message");
  warn("message", { sessions: 3 });
  const entry = { level: "warn", message: "message", exporter: "otlp/a" };
  const entries = lines.map((line) => JSON.parse(line)).map(({ time: _, ...entry }) => entry);
  assert.deepEqual(entries, [entry, { ...entry, sessions: 3 }]);
});

Deno.test("a flood from one source suppresses no warnings of another, and no unlimited ones", () => {
  const { log, lines } = logger("text");
  const flood = log.limited({ exporter: "otlp/a" });
  for (let i = 0; i < 100; i++) flood("flood");
  lines.length = 0;
  log.limited({ exporter: "otlp/b" })("of another");
  log.warn("lost 1 session: otlp/a: not delivered", { exporter: "otlp/a" });
  assert.deepEqual(lines, [
    "tcpspan: of another\n",
    "tcpspan: lost 1 session: otlp/a: not delivered\n",
  ]);
});

const FORMATS: [args: string, format: LogFormat][] = [
  ["", "text"],
  ["--log-format json", "json"],
  ["--log-format=json", "json"],
  ["--log-format text", "text"],
  ["--log-format json --log-format=text", "text"],
  ["--nonsense --log-format json -x", "json"],
  ["--log-format", "text"],
  ["--log-format xml", "text"],
];

for (const [args, format] of FORMATS) {
  Deno.test(`what goes wrong with ${args === "" ? "no flags" : args} is reported as ${format}`, () => {
    assert.equal(logFormat(args === "" ? [] : args.split(" ")), format);
  });
}

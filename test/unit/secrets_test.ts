/** Which secrets are kept out of messages, and what the messages then show. */
import assert from "node:assert/strict";
import { keepSecretsOf } from "../../src/config/secret_values.ts";
import { Logger } from "../../src/messages/log.ts";
import { withoutSecrets } from "../../src/messages/secrets.ts";

/** A value in a config, a text, and the text without the secrets of the value. */
const CASES: readonly [what: string, value: unknown, text: string, shown: string][] = [
  ["a header's whole value", { headers: { a: "ab1c" } }, "no ab1c here", "no *** here"],
  [
    "a header's credentials, after the scheme",
    { headers: { authorization: "Bearer t0kenA" } },
    "bad token t0kenA of Bearer",
    "bad token *** of Bearer",
  ],
  [
    "values of 8 or more characters in a header's list",
    { headers: { b: "tenant=fine, sign=c0ffee42; q=quoted" } },
    "c0ffee42 is not of tenant, fine, sign or quoted",
    "*** is not of tenant, fine, sign or quoted",
  ],
  [
    "a quoted value in a header's list",
    { headers: { c: 'Digest name="some one", answer=b16b00b5' } },
    "some one says b16b00b5",
    "*** says ***",
  ],
  [
    "only the last part of a header's words",
    { headers: { d: "Some header of four words" } },
    "header of words, Some four",
    "header of words, Some four",
  ],
  [
    "a number in a header, if it is a whole word",
    { headers: { e: 1000, f: "2000" } },
    "1000 and 2000, 10000 sessions, 1000ms, 21000, a2000b",
    "*** and ***, 10000 sessions, 1000ms, 21000, a2000b",
  ],
  [
    "a long number in a header, anywhere",
    { headers: { g: 123456789 } },
    "t%3D123456789",
    "t%3D***",
  ],
  [
    "no number of options",
    { options: { timeoutMillis: 10001, size: [123456780] } },
    "10001 of 123456780",
    "10001 of 123456780",
  ],
  ["texts in options", { options: { password: "hunter2" } }, "hunter2", "***"],
  [
    "credentials in headers among options",
    { options: { headers: { authorization: "Basic cGFzcw" } } },
    "cGFzcw in Basic",
    "*** in Basic",
  ],
  ["the key of trace ids", { key: "of words, the key" }, "of words, the key", "***"],
  [
    "a URL's password, its query and each value there",
    { endpoint: "http://me:pa55@host:4318/?token=53cret&size=4317" },
    "pa55, 53cret and 4317, not 43170 of me at host:4318",
    "***, *** and ***, not 43170 of me at host:4318",
  ],
  ["its form in URLs", { headers: { h: "a/b cd" } }, "?q=a%2Fb%20cd", "?q=***"],
  ["its form in JSON", { headers: { i: 'q"uoted' } }, '{"a":"q\\"uoted"}', '{"a":"***"}'],
  [
    "hidden whole if one contains another",
    { headers: { k: "a-swordfish-or-two", l: "swordfish", m: "swordfish-and-more" } },
    "swordfish, swordfish-and-more, a-swordfish-or-two, my-swordfish-and-more",
    "***, ***, ***, my-***",
  ],
  [
    "hidden whole if two overlap",
    { headers: { n: "first:shared", o: "shared:second" } },
    "[first:shared:second] [first:shared][shared:second]",
    "[***] [***][***]",
  ],
  [
    "hidden whole if one overlaps itself",
    { headers: { p: "lalala" } },
    "lalalala lala",
    "*** lala",
  ],
  ["nothing shorter than 4 characters", { headers: { j: "xyz" } }, "xyz", "xyz"],
];

for (const [what, value, text, shown] of CASES) {
  Deno.test(`secrets are ${what}`, () => {
    keepSecretsOf(value);
    assert.equal(withoutSecrets(text), shown);
  });
}

Deno.test("warnings and errors show no secret; information and losses are not changed", () => {
  keepSecretsOf({ headers: { dataset: "tracing", tenant: "3000" } });
  const lines: string[] = [];
  const log = new Logger((line) => lines.push(line));
  log.warn("tracing of 3000");
  log.error(["one", "tracing of 3000"]);
  log.limited({ exporter: "a" })("tracing of 3000");
  log.info("tracing");
  log.lost("lost 3000 sessions: a: its queue was full");
  assert.deepEqual(lines, [
    "tcpspan: *** of ***\n",
    "tcpspan: one\n*** of ***\n",
    "tcpspan: *** of ***\n",
    "tcpspan: tracing\n",
    "tcpspan: lost 3000 sessions: a: its queue was full\n",
  ]);
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { expand, retype } from "../../src/config/expand.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  NAME: "value",
  PORT: "8080",
  EMPTY: "",
  TRICKY: "$$ ${env:NAME} $& $1",
};
const env = (name: string) => VARIABLES[name];

const GOOD: readonly [source: string, text: string][] = [
  ["plain", "plain"],
  ["", ""],
  ["${env:NAME}", "value"],
  ["a ${env:NAME} b ${env:PORT} c", "a value b 8080 c"],
  ["${env:NAME}${env:NAME}", "valuevalue"],
  ["${env:NAME:-other}", "value"],
  ["${env:MISSING:-other}", "other"],
  ["${env:MISSING:-}", ""],
  ["${env:EMPTY:-other}", "other"],
  ["${env:MISSING:-http://h:1/?a=b}", "http://h:1/?a=b"],
  ["${env:MISSING:-a$$b}", "a$b"],
  ["$$", "$"],
  ["$$$$", "$$"],
  ["$${env:NAME}", "${env:NAME}"],
  ["$$${env:NAME}", "$value"],
  ["a$b $ c$", "a$b $ c$"],
  ["{env:NAME}", "{env:NAME}"],
  ["${env:TRICKY}", "$$ ${env:NAME} $& $1"],
];

for (const [source, text] of GOOD) {
  Deno.test(`expand() makes ${JSON.stringify(text)} of ${JSON.stringify(source)}`, () => {
    const expansion = expand(source, env);
    assert("text" in expansion);
    assert.equal(expansion.text, text);
  });
}

const SYNTAX = "expected ${env:NAME}, ${env:NAME:-default}, or $$ for a dollar";
const BAD: readonly [source: string, problem: string][] = [
  [
    "${env:MISSING}",
    "environment variable MISSING is not set, or empty: expected a value for it, " +
    "or a default as in ${env:MISSING:-default}",
  ],
  [
    "${env:EMPTY}",
    "environment variable EMPTY is not set, or empty: expected a value for it, " +
    "or a default as in ${env:EMPTY:-default}",
  ],
  ["${NAME}", `"\${NAME}" is not a reference: did you mean "\${env:NAME}"? ${SYNTAX}`],
  [
    "${HOME:-/root}",
    `"\${HOME:-/root}" is not a reference: did you mean "\${env:HOME:-/root}"? ${SYNTAX}`,
  ],
  ["${env.NAME}", `"\${env.NAME}" is not a reference: did you mean "\${env:NAME}"? ${SYNTAX}`],
  ["${ENV:NAME}", `"\${ENV:NAME}" is not a reference: did you mean "\${env:NAME}"? ${SYNTAX}`],
  ["${file:/etc/passwd}", `"\${file:/etc/passwd}" is not a reference: ${SYNTAX}`],
  ["${}", `"\${}" is not a reference: ${SYNTAX}`],
  ["${env:}", `"\${env:}" is not a reference: ${SYNTAX}`],
  ["${env:1ST}", `"\${env:1ST}" is not a reference: ${SYNTAX}`],
  ["${env:NAME", `"\${env:NAME" is not a reference: ${SYNTAX}`],
  [
    "${env:NAME-x}",
    `"\${env:NAME-x}" is not a reference: did you mean "\${env:NAME:-x}"? ${SYNTAX}`,
  ],
  ["${env:A:-${env:NAME}}", `"\${env:A:-\${env:NAME}" is not a reference: ${SYNTAX}`],
];

for (const [source, problem] of BAD) {
  Deno.test(`expand() refuses ${source}`, () => {
    assert.deepEqual(expand(source, env), { problem });
  });
}

Deno.test("expand() says whether a text is a single reference", () => {
  const whole = (source: string) => {
    const expansion = expand(source, env);
    return "whole" in expansion && expansion.whole;
  };
  assert.equal(whole("${env:PORT}"), true);
  assert.equal(whole("${env:MISSING:-1}"), true);
  assert.equal(whole("${env:PORT}ms"), false);
  assert.equal(whole("${env:PORT}${env:PORT}"), false);
  assert.equal(whole("$${env:PORT}"), false);
  assert.equal(whole("8080"), false);
});

const TYPES: readonly [text: string, value: unknown][] = [
  ["8080", 8080],
  ["-1", -1],
  ["1.5", 1.5],
  ["0x10", 16],
  ["true", true],
  ["False", false],
  ["null", null],
  ["", ""],
  ["off", "off"],
  ["text", "text"],
  ["a: b", "a: b"],
  ["[1, 2]", "[1, 2]"],
  ["1 # one", "1 # one"],
  [" 1", " 1"],
  ['"1"', '"1"'],
  ["!!str 1", "!!str 1"],
  ["&a 1", "&a 1"],
  ["*a", "*a"],
  ["'", "'"],
  ["1\n2", "1\n2"],
  ["@x", "@x"],
];

for (const [text, value] of TYPES) {
  Deno.test(`retype() reads ${JSON.stringify(text)} as ${JSON.stringify(value)}`, () => {
    assert.deepEqual(retype(text), value);
  });
}

Deno.test("expand() leaves text without a dollar as it is", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    fc.pre(!text.includes("$"));
    assert.deepEqual(expand(text, env), { text, whole: false, expanded: false });
  }));
});

Deno.test("expand() inserts the variable's value, whatever that is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), (value) => {
    const expansion = expand("<${env:ANY}>", () => value);
    assert("text" in expansion);
    assert.equal(expansion.text, `<${value}>`);
  }));
});

Deno.test("expand() undoes the doubling of dollars", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const expansion = expand(text.replaceAll("$", "$$$$"), env);
    assert("text" in expansion);
    assert.equal(expansion.text, text);
  }));
});

Deno.test("retype() gives a text, a number, a boolean or null for any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const value = retype(text);
    assert(value === null || ["string", "number", "boolean"].includes(typeof value));
    if (typeof value === "string") assert.equal(value, text);
  }));
});

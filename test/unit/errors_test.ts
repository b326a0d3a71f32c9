/** Errors as text. */
import assert from "node:assert/strict";
import { describeFailure, HostError, messageOf } from "../../src/messages/errors.ts";

const THROWN: readonly [what: string, thrown: unknown, message: string][] = [
  ["an error", new Error("it broke"), "it broke"],
  ["an error without a message", new TypeError(), "TypeError"],
  [
    "an error of Deno's loader, in colours",
    new Error("\x1b[0m\x1b[1mnot\x1b[0m found"),
    "not found",
  ],
  ["text", "it broke", "it broke"],
  ["nothing", undefined, "undefined"],
  ["what has no text", Object.create(null), "something that is neither an error nor text"],
];

for (const [what, thrown, message] of THROWN) {
  Deno.test(`messageOf() of ${what}`, () => assert.equal(messageOf(thrown), message));
}

const FAILURES: readonly [what: string, thrown: unknown, message: string][] = [
  ["an error for the user", new HostError("too old"), "too old"],
  ["an error", new TypeError("it broke"), "unexpected failure: TypeError: it broke"],
  ["an error without a message", new TypeError(), "unexpected failure: TypeError"],
  [
    "an error whose name is not text",
    Object.assign(new Error("it broke"), { name: Symbol("name") }),
    "unexpected failure: something that is neither an error nor text",
  ],
];

for (const [what, thrown, message] of FAILURES) {
  Deno.test(`describeFailure() of ${what}`, () => assert.equal(describeFailure(thrown), message));
}

import assert from "node:assert/strict";
import { expand, retype } from "../../src/config/expand.ts";
import { assertSafeLine, toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const VALUE = "${env:B}$$"; // must not be expanded again

/** References to the environment in any text give a text, or an error. */
fuzz("expansion", (bytes) => {
  const source = toText(bytes);
  const expansion = expand(source, (name) => name === "A" ? VALUE : undefined);
  if ("problem" in expansion) return assertSafeLine(expansion.problem);
  if (!source.includes("$")) assert.equal(expansion.text, source);
  if (source === "${env:A}") assert.equal(expansion.text, VALUE);
  const value = retype(expansion.text);
  assert.ok(value === null || ["string", "number", "boolean"].includes(typeof value));
}, { tokens: ["${env:A}", "${env:A:-", "${env:B:-x}", "$$", "${", "}", "env:", ":-", "\\", "\n"] });

import assert from "node:assert/strict";
import { parseRetryAfter } from "../../exporters/otlp/http_answer.ts";
import { toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A Retry-After gives a time to wait that setTimeout takes, or none. */
fuzz("retry_after", (bytes) => {
  const wait = parseRetryAfter(toText(bytes), Date.UTC(2026, 0, 1));
  assert.ok(wait === undefined || wait >= 0 && wait <= LONGEST_TIMER_MS, String(wait));
}, { tokens: ["GMT", "1e9", "-", "+00:00", "Fri, 31 Dec 1999 23:59:59 GMT", "9999999999"] });

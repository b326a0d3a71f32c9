import assert from "node:assert/strict";
import { jsonEncoding, protobufEncoding } from "../../exporters/otlp/encoding.ts";
import { classify } from "../../exporters/otlp/http_answer.ts";
import { Reasons } from "../../exporters/otlp/reason.ts";
import { keepSecretHeader } from "../../src/messages/secrets.ts";
import { makeSpanMapper } from "../exporter_context.ts";
import { toSpan } from "../open_otlp.ts";
import { assertSafeLine, toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const endpoint = new URL("http://127.0.0.1:4318/v1/traces");
const reasons = new Reasons({ endpoint });
keepSecretHeader("Bearer SECRET");
const encodings = [
  ["application/x-protobuf", protobufEncoding(makeSpanMapper())],
  ["application/json", jsonEncoding(toSpan)],
] as const;

/** An HTTP answer: a line with the status, headers, an empty line, a body. */
fuzz("otlp_answer", (bytes) => {
  const end = toText(bytes).indexOf("\n\n");
  const [first = "", ...lines] = toText(bytes).slice(0, Math.max(end, 0)).split("\n");
  const headers = new Map(lines.map((line) => {
    const [name = "", ...value] = line.split(":");
    return [name.toLowerCase(), value.join(":").trim()];
  }));
  const at = bytes.findIndex((byte, i) => byte === 10 && bytes[i + 1] === 10);
  const body = at === -1 ? bytes : bytes.subarray(at + 2);
  const status = Number.parseInt(first) || 200;
  for (const [type, encoding] of encodings) {
    const answer = {
      status,
      statusText: first.slice(4),
      header: (name: string) => headers.get(name),
      body,
    };
    const response = classify(answer, type, endpoint, reasons);
    if (response.status === "success") {
      if (response.data === undefined) continue;
      const { rejected, message } = encoding.readPartialSuccess(response.data);
      assert.ok(Number.isFinite(rejected) && rejected >= 0, String(rejected));
      assertSafeLine(reasons.told(message));
    } else {
      const text = response.error?.message ?? "";
      assertSafeLine(text);
      assert.ok(text.length < 600 && !text.includes("SECRET"), text);
      if (response.status !== "retryable" || response.retryInMillis === undefined) continue;
      assert.ok(Number.isFinite(response.retryInMillis) && response.retryInMillis >= 0);
    }
  }
}, {
  tokens: [
    "503 ",
    "429 ",
    "307 ",
    "Retry-After: ",
    "Location: ",
    "Content-Type: application/json",
    "Content-Type: application/x-protobuf",
    '{"message":"',
    '{"partialSuccess":{"rejectedSpans":',
    "Bearer SECRET",
    "\n\n",
  ],
});

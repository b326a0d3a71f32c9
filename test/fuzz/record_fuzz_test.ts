import assert from "node:assert/strict";
import { jsonEncoding, protobufEncoding } from "../../exporters/otlp/encoding.ts";
import { CsvFormat } from "../../exporters/stdout/csv.ts";
import { JsonFormat } from "../../exporters/stdout/json.ts";
import { TableFormat } from "../../exporters/stdout/table.ts";
import { SessionBatch } from "../../src/session/batch.ts";
import { RECORD } from "../../src/session/record_layout.ts";
import { makeSpanMapper } from "../exporter_context.ts";
import { decodeTraceRequest } from "../otlp_protobuf.ts";
import { assertSafeLine, decodeUtf8 } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const spans = makeSpanMapper();
const protobuf = protobufEncoding(spans);
const otlpJson = jsonEncoding((session) => spans.toSpan(session));
const rows = [
  new TableFormat({ wide: false, time: true, timestamp: true }),
  new TableFormat({ wide: true, time: false, timestamp: true }),
  new CsvFormat({ time: true, timestamp: true }),
  new JsonFormat(spans),
];

/** Any record from the ring or a disk gives a span in every format, with ids and in UTF-8. */
fuzz("record", (bytes) => {
  const record = new Uint8Array(RECORD.size);
  record.set(bytes.subarray(0, RECORD.size));
  const batch = new SessionBatch(record);
  const { traceId, spanId } = spans.toSpan(batch.at(0)).spanContext();
  assert.match(traceId, /^(?!0+$)[0-9a-f]{32}$/);
  assert.match(spanId, /^(?!0+$)[0-9a-f]{16}$/);
  decodeTraceRequest(protobuf.encode(batch));
  JSON.parse(decodeUtf8(otlpJson.encode(batch)));
  for (const format of rows) {
    const line = decodeUtf8(format.format(batch));
    assert.ok(line.endsWith("\n"));
    assertSafeLine(line.slice(0, -1));
  }
});

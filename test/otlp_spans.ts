/** Spans made up for tests of OTLP, with every kind of value that OTLP knows. */
import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Session } from "../src/session/session.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SCOPE = {
  name: "tcpspan",
  version: "1.2.3",
  schemaUrl: "https://opentelemetry.io/schemas/1.45.0",
} as const;

/** One per process: serializers distinguish resources by identity. */
const RESOURCES = [
  resourceFromAttributes({ "service.name": "curl", "process.pid": 1234 }),
  resourceFromAttributes({ "service.name": "näginx", "process.pid": 1 }),
] as const;

/**
 * A span that depends only on `session`. Sessions with an odd owner_pid failed, and belong to the
 * second resource.
 */
export function toTestSpan(session: Session): ReadableSpan {
  const pid = session.pid ?? 0;
  const failed = pid % 2 === 1;
  const spanId = pid.toString(16).padStart(16, "b");
  const start = session.startUnixNs + 789n;
  const end = session.endUnixNs + 1n;
  return {
    name: `tcp ${session.peerPort}`,
    kind: failed ? SpanKind.SERVER : SpanKind.CLIENT,
    spanContext: () => ({ traceId: TRACE_ID, spanId, traceFlags: TraceFlags.SAMPLED }),
    ...(failed
      ? {
        parentSpanContext: {
          traceId: TRACE_ID,
          spanId: "00f067aa0ba902b7",
          traceFlags: TraceFlags.SAMPLED,
          isRemote: true,
        },
      }
      : {}),
    startTime: hrTime(start),
    endTime: hrTime(end),
    duration: hrTime(end - start),
    status: failed
      ? { code: SpanStatusCode.ERROR, message: "connection refused" }
      : { code: SpanStatusCode.UNSET },
    attributes: {
      "network.peer.address": session.peerAddress,
      "tcpspan.tx.bytes": session.txBytes,
      "test.large": Number.MAX_SAFE_INTEGER,
      "test.negative": -1,
      "test.zero": 0,
      "test.double": 0.5,
      "test.true": true,
      "test.false": false,
      "test.empty": "",
      "test.text": 'zwölf "Boxkämpfer" \u{1f94a}\n',
      "test.list": ["a", "b"],
    },
    events: failed ? [] : [{ name: "tcpspan.established", time: hrTime(start + 1_000_000n) }],
    links: [],
    ended: true,
    resource: RESOURCES[failed ? 1 : 0],
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTime(ns: bigint): [number, number] {
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}

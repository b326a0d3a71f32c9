/** The OpenTelemetry span of a session end, as docs/span.md describes it. */
import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_CLIENT_PORT,
  ATTR_ERROR_TYPE,
  ATTR_NETWORK_LOCAL_ADDRESS,
  ATTR_NETWORK_LOCAL_PORT,
  ATTR_NETWORK_PEER_ADDRESS,
  ATTR_NETWORK_PEER_PORT,
  ATTR_NETWORK_TRANSPORT,
  ATTR_NETWORK_TYPE,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  NETWORK_TRANSPORT_VALUE_TCP,
} from "@opentelemetry/semantic-conventions";
import { ATTR_THREAD_NAME } from "@opentelemetry/semantic-conventions/incubating";
import type { SessionBatch } from "./batch.ts";
import { type Ending, endingOf } from "./ending.ts";
import type { IdHasher, Ids } from "./ids.ts";
import type { ParentRule } from "./parent.ts";
import type { PortRange } from "./port_range.ts";
import type { ProcessResources } from "./resource.ts";
import type { Session } from "./session.ts";
import { FLAG } from "./record_layout.ts";
import { withZone } from "./zone.ts";
import { VERSION } from "./version.ts";

/** The instrumentation scope of every span. The schema is that of the conventions used. */
export const SCOPE = {
  name: "tcpspan",
  version: VERSION,
  schemaUrl: "https://opentelemetry.io/schemas/1.45.0",
} as const;

/** Makes spans of sessions. */
export class SpanMapper {
  readonly #ids: IdHasher;
  readonly #resources: ProcessResources;
  readonly #parents: ParentRule;
  readonly #ephemeral: PortRange;

  /** @param ephemeral the ports that the kernel picks for clients: never in a span's name */
  constructor(
    ids: IdHasher,
    resources: ProcessResources,
    parents: ParentRule,
    ephemeral: PortRange,
  ) {
    this.#ids = ids;
    this.#resources = resources;
    this.#parents = parents;
    this.#ephemeral = ephemeral;
  }

  /** Takes note of sessions that spans will be asked for: who is on this host shows in them. */
  observe(batch: SessionBatch): void {
    this.#parents.observe(batch);
  }

  /** The span of `session`, which may be moved on afterwards. */
  toSpan(session: Session): ReadableSpan {
    const ids = this.#ids.identify(session);
    const { traceId } = ids;
    const ending = session.interim === 0 ? endingOf(session) : undefined;
    const end = session.endUnixNs;
    const start = session.startUnixNs;
    const spanId = ids.reportId ?? ids.spanId;
    const parentId = this.#parentOf(session, ids);
    const context: SpanContext = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
    return {
      name: this.#name(session),
      kind: kindOf(session),
      spanContext: () => context,
      ...(parentId === undefined ? {} : {
        parentSpanContext: {
          traceId,
          spanId: parentId,
          traceFlags: TraceFlags.SAMPLED,
          isRemote: ids.reportId === undefined,
        },
      }),
      startTime: hrTime(start),
      endTime: hrTime(end),
      duration: hrTime(end - start),
      status: ending?.error === undefined
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: ending.error.message },
      attributes: attributesOf(session, ending),
      events: eventsOf(session, ending),
      links: [],
      ended: true,
      resource: this.#resources.of(session),
      instrumentationScope: SCOPE,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }

  /** A server's span is the client's child, a report of an open session that of its final span. */
  #parentOf(session: Session, { spanId, reportId, peerSpanId }: Ids): string | undefined {
    if (reportId !== undefined) return spanId;
    return session.role === "passive" && peerSpanId !== undefined &&
        this.#parents.hasParent(session)
      ? peerSpanId
      : undefined;
  }

  /** Of low cardinality: the server's port where it is known and not an ephemeral one. */
  #name(session: Session): string {
    const port = session.serverPort;
    return port === undefined || this.#ephemeral.has(port) ? "tcp" : `tcp ${port}`;
  }
}

function kindOf(session: Session): SpanKind {
  if (session.interim > 0) return SpanKind.INTERNAL; // another would count twice on a service map
  switch (session.role) {
    case "active":
      return SpanKind.CLIENT;
    case "passive":
      return SpanKind.SERVER;
    case "unknown":
      return SpanKind.INTERNAL;
  }
}

function attributesOf(session: Session, ending: Ending | undefined): Attributes {
  const { localPort, peerPort, role } = session;
  const localAddress = withZone(session.localAddress, session);
  const peerAddress = withZone(session.peerAddress, session);
  const attributes: Attributes = {
    [ATTR_NETWORK_TRANSPORT]: NETWORK_TRANSPORT_VALUE_TCP,
    [ATTR_NETWORK_TYPE]: session.family,
    [ATTR_NETWORK_LOCAL_ADDRESS]: localAddress,
    [ATTR_NETWORK_LOCAL_PORT]: localPort,
    [ATTR_NETWORK_PEER_ADDRESS]: peerAddress,
    [ATTR_NETWORK_PEER_PORT]: peerPort,
  };
  if (role !== "unknown") {
    const active = role === "active";
    attributes[ATTR_CLIENT_ADDRESS] = active ? localAddress : peerAddress;
    attributes[ATTR_CLIENT_PORT] = active ? localPort : peerPort;
    attributes[ATTR_SERVER_ADDRESS] = active ? peerAddress : localAddress;
    attributes[ATTR_SERVER_PORT] = active ? peerPort : localPort;
  }
  if (ending?.error !== undefined) attributes[ATTR_ERROR_TYPE] = ending.error.type;
  if (session.ownerSource !== "unknown") attributes[ATTR_THREAD_NAME] = session.comm;
  attributes["tcpspan.tx.bytes"] = session.txBytes;
  attributes["tcpspan.rx.bytes"] = session.rxBytes;
  attributes["tcpspan.tx.unacked_bytes"] = session.unackedBytes;
  const { unreadBytes } = session;
  if (unreadBytes !== undefined) attributes["tcpspan.rx.unread_bytes"] = unreadBytes;
  attributes["tcpspan.tx.segments"] = session.txSegments;
  attributes["tcpspan.rx.segments"] = session.rxSegments;
  attributes["tcpspan.tx.retransmits"] = session.retransmits;
  const { smoothedRttUs, minRttUs, handshakeUs } = session;
  if (smoothedRttUs !== undefined) attributes["tcpspan.rtt.smoothed_us"] = smoothedRttUs;
  if (minRttUs !== undefined) attributes["tcpspan.rtt.min_us"] = minRttUs;
  if (handshakeUs !== undefined) attributes["tcpspan.handshake_us"] = handshakeUs;
  attributes["tcpspan.state.last"] = session.lastState;
  if (ending === undefined) {
    attributes["tcpspan.interim"] = true;
  } else {
    attributes["tcpspan.close.by"] = ending.by;
    attributes["tcpspan.close.reason"] = ending.reason;
  }
  attributes["tcpspan.owner.source"] = session.ownerSource;
  attributes["tcpspan.start.observed"] = session.startObserved;
  attributes["tcpspan.netns"] = session.netns;
  attributes["tcpspan.session.cookie"] = Number(session.cookie);
  return attributes;
}

function eventsOf(session: Session, ending: Ending | undefined): TimedEvent[] {
  const end = session.endUnixNs;
  // the FIN that ends an active closer's session changes its state to CLOSE, nothing before
  const finReceived = session.finReceivedUnixNs ??
    (session.lastState === "fin_wait2" && session.has(FLAG.SOCK_DONE) ? end : undefined);
  const candidates: [string, bigint | undefined][] = [
    ["tcpspan.established", session.establishedUnixNs],
    ["tcpspan.fin.sent", session.finSentUnixNs],
    ["tcpspan.fin.received", finReceived],
    ["tcpspan.reset.received", ending?.reason === "reset" ? end : undefined],
  ];
  return candidates
    .filter((candidate): candidate is [string, bigint] => candidate[1] !== undefined)
    .sort(([, a], [, b]) => a < b ? -1 : a > b ? 1 : 0)
    .map(([name, time]) => ({
      name,
      time: hrTime(time),
      attributes: {},
      droppedAttributesCount: 0,
    }));
}

function hrTime(ns: bigint): HrTime {
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}

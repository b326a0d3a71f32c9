/** The OpenTelemetry span of a session end, as docs/span.md describes it. */
import { SpanKind } from "../../npm/opentelemetry/api.ts";
import type { Resource } from "../../npm/opentelemetry/resources.ts";
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
  ATTR_THREAD_NAME,
  NETWORK_TRANSPORT_VALUE_TCP,
} from "../../npm/opentelemetry/semantic_conventions.ts";
import type { SessionBatch } from "../session/batch.ts";
import { type Ending, endingOf } from "../session/ending.ts";
import { Id, type IdHasher, type Ids } from "../ids/ids.ts";
import type { ParentRule } from "./parent.ts";
import type { PortRange } from "../host/client_ports.ts";
import { ReadableSpanBuilder, type SpanOfBothVersions } from "./readable_span.ts";
import { FLAG } from "../session/record_layout.ts";
import type { ProcessResources } from "./resource.ts";
import { type End, OWNER_SOURCES, type Session, TCP_STATES } from "../session/session.ts";
import {
  AttributeKey,
  FixedAttributes,
  FixedText,
  type FixedTraceState,
  type SpanHead,
  type SpanSink,
  type SpanSource,
} from "./span_sink.ts";
import { Timeline } from "./timeline.ts";
import type { SampledTraceStates } from "./trace_states.ts";
import { UnixTime } from "../bytes/unix_time.ts";

const LOCAL_ADDRESS = new AttributeKey(ATTR_NETWORK_LOCAL_ADDRESS);
const LOCAL_PORT = new AttributeKey(ATTR_NETWORK_LOCAL_PORT);
const PEER_ADDRESS = new AttributeKey(ATTR_NETWORK_PEER_ADDRESS);
const PEER_PORT = new AttributeKey(ATTR_NETWORK_PEER_PORT);
const CLIENT_ADDRESS = new AttributeKey(ATTR_CLIENT_ADDRESS);
const CLIENT_PORT = new AttributeKey(ATTR_CLIENT_PORT);
const SERVER_ADDRESS = new AttributeKey(ATTR_SERVER_ADDRESS);
const SERVER_PORT = new AttributeKey(ATTR_SERVER_PORT);
const THREAD_NAME = new AttributeKey(ATTR_THREAD_NAME);
const TX_BYTES = new AttributeKey("tcpspan.tx.bytes");
const RX_BYTES = new AttributeKey("tcpspan.rx.bytes");
const UNACKED_BYTES = new AttributeKey("tcpspan.tx.unacked_bytes");
const UNREAD_BYTES = new AttributeKey("tcpspan.rx.unread_bytes");
const TX_SEGMENTS = new AttributeKey("tcpspan.tx.segments");
const RX_SEGMENTS = new AttributeKey("tcpspan.rx.segments");
const RETRANSMITS = new AttributeKey("tcpspan.tx.retransmits");
const SMOOTHED_RTT = new AttributeKey("tcpspan.rtt.smoothed_us");
const MIN_RTT = new AttributeKey("tcpspan.rtt.min_us");
const HANDSHAKE = new AttributeKey("tcpspan.handshake_us");
const NETNS = new AttributeKey("tcpspan.netns");
const COOKIE = new AttributeKey("tcpspan.session.cookie");
const MPTCP_TOKEN = new AttributeKey("tcpspan.mptcp.token");

const NETWORK = {
  ipv4: network("ipv4"),
  ipv6: network("ipv6"),
} as const;
const LAST_STATE = fixedByValue("tcpspan.state.last", TCP_STATES);
const OWNER_SOURCE = fixedByValue("tcpspan.owner.source", OWNER_SOURCES);
const START_OBSERVED = new FixedAttributes({ "tcpspan.start.observed": true });
const START_NOT_OBSERVED = new FixedAttributes({ "tcpspan.start.observed": false });
const INTERIM = new FixedAttributes({ "tcpspan.interim": true });
const BYPASSED = new FixedAttributes({ "tcpspan.bytes.bypassed": true });
const MPTCP = new FixedAttributes({ "tcpspan.mptcp": true });
const MPTCP_JOINED = new FixedAttributes({ "tcpspan.mptcp": true, "tcpspan.mptcp.joined": true });
const MPTCP_FALLBACK = new FixedAttributes({ "tcpspan.mptcp": false });

/** Describes sessions as spans. */
export class SpanMapper implements SpanSource {
  readonly #ids: IdHasher;
  readonly #resources: ProcessResources;
  readonly #parents: ParentRule;
  readonly #ephemeral: PortRange;
  readonly #traceStates: SampledTraceStates | undefined;
  readonly #head = new Head();
  readonly #timeline = new Timeline();

  /**
   * @param ephemeral the ports that the kernel picks for clients: never in a span's name
   * @param traceStates if sessions are sampled
   */
  constructor(
    ids: IdHasher,
    resources: ProcessResources,
    parents: ParentRule,
    ephemeral: PortRange,
    traceStates?: SampledTraceStates,
  ) {
    this.#ids = ids;
    this.#resources = resources;
    this.#parents = parents;
    this.#ephemeral = ephemeral;
    this.#traceStates = traceStates;
  }

  /** Takes note of sessions that will become spans: they show which addresses are on this host. */
  observe(batch: SessionBatch): void {
    this.#parents.observe(batch);
  }

  readonly toSpan = (session: Session): SpanOfBothVersions => {
    const builder = new ReadableSpanBuilder();
    this.describe(session, builder);
    return builder.build(this.resourceOf(session));
  };

  resourceOf(session: Session): Resource {
    return this.#resources.of(session);
  }

  /** Makes no object, text or BigInt per session: sinks may. */
  describe(session: Session, sink: SpanSink): void {
    const ids = this.#ids.identify(session);
    const ending = session.interim === 0 ? describedEnding(endingOf(session)) : undefined;
    const head = this.#head;
    const report = ids.report;
    head.trace = ids.trace;
    head.span = report ?? ids.span;
    head.traceState = this.#traceStates?.of(ending?.message !== undefined);
    head.parent = report === undefined ? this.#parentOf(session, ids) : ids.span;
    head.parentIsRemote = report === undefined;
    head.namedPort = this.#namedPort(session);
    head.kind = kindOf(session);
    session.readStart(head.start);
    session.readEnd(head.end);
    sink.begin(head);
    describeAttributes(session, ending, sink);
    this.#timeline.fill(session, ending?.reason, head.end);
    this.#timeline.describe(sink);
    sink.end(ending?.message);
  }

  /** A server's span is the client's child; a report of an open session, its final span's child. */
  #parentOf(session: Session, ids: Ids): Id | undefined {
    if (session.role !== "passive") return undefined;
    // a failure whose trace is not kept: mostly, the client's end did not fail, and is not exported
    if (this.#traceStates !== undefined && !session.has(FLAG.SAMPLED)) return undefined;
    return this.#parents.hasParent(session) ? ids.peer : undefined;
  }

  /** The server's port, if it is known and not ephemeral: span names need low cardinality. */
  #namedPort(session: Session): number | undefined {
    const port = session.serverPort;
    return port === undefined || this.#ephemeral.has(port) ? undefined : port;
  }
}

class Head implements SpanHead {
  trace = new Id(4);
  span = new Id(2);
  traceState: FixedTraceState | undefined = undefined;
  parent: Id | undefined = undefined;
  parentIsRemote = false;
  namedPort: number | undefined = undefined;
  kind: SpanKind = SpanKind.INTERNAL;
  readonly start = new UnixTime();
  readonly end = new UnixTime();
}

/** An ending, and what spans say about it. */
interface DescribedEnding {
  readonly reason: Ending["reason"];
  readonly close: FixedAttributes;
  readonly errorType: FixedAttributes | undefined;
  readonly message: FixedText | undefined;
}

const describedEndings = new Map<Ending, DescribedEnding>();

function describedEnding(ending: Ending): DescribedEnding {
  const known = describedEndings.get(ending);
  if (known !== undefined) return known;
  const { by, reason, error } = ending;
  const described: DescribedEnding = {
    reason,
    close: new FixedAttributes({ "tcpspan.close.by": by, "tcpspan.close.reason": reason }),
    errorType: error && new FixedAttributes({ [ATTR_ERROR_TYPE]: error.type }),
    message: error && new FixedText(error.message),
  };
  describedEndings.set(ending, described);
  return described;
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

function network(family: Session["family"]): FixedAttributes {
  return new FixedAttributes({
    [ATTR_NETWORK_TRANSPORT]: NETWORK_TRANSPORT_VALUE_TCP,
    [ATTR_NETWORK_TYPE]: family,
  });
}

/** The attribute `key` with each of its values. */
function fixedByValue<Value extends string>(
  key: string,
  values: readonly Value[],
): Readonly<Record<Value, FixedAttributes>> {
  const entries = values.map((value) => [value, new FixedAttributes({ [key]: value })]);
  return Object.fromEntries(entries);
}

function describeAttributes(
  session: Session,
  ending: DescribedEnding | undefined,
  sink: SpanSink,
): void {
  const { localPort, peerPort, role, ownerSource } = session;
  sink.fixed(session.family === "ipv4" ? NETWORK.ipv4 : NETWORK.ipv6);
  sink.address(LOCAL_ADDRESS, session, "local");
  sink.integer(LOCAL_PORT, localPort);
  sink.address(PEER_ADDRESS, session, "peer");
  sink.integer(PEER_PORT, peerPort);
  if (role !== "unknown") {
    const active = role === "active";
    const client: End = active ? "local" : "peer";
    const server: End = active ? "peer" : "local";
    sink.address(CLIENT_ADDRESS, session, client);
    sink.integer(CLIENT_PORT, active ? localPort : peerPort);
    sink.address(SERVER_ADDRESS, session, server);
    sink.integer(SERVER_PORT, active ? peerPort : localPort);
  }
  if (ending?.errorType !== undefined) sink.fixed(ending.errorType);
  if (ownerSource !== "unknown") sink.comm(THREAD_NAME, session);
  describeCounters(session, sink);
  sink.fixed(LAST_STATE[session.lastState]);
  sink.fixed(ending === undefined ? INTERIM : ending.close);
  sink.fixed(OWNER_SOURCE[ownerSource]);
  sink.fixed(session.startObserved ? START_OBSERVED : START_NOT_OBSERVED);
  sink.integer(NETNS, session.netns);
  sink.integer(COOKIE, session.cookieNumber);
  if (session.mptcp !== undefined) describeMptcp(session, session.mptcp, sink);
}

function describeMptcp(session: Session, isSubflow: boolean, sink: SpanSink): void {
  if (!isSubflow) return sink.fixed(MPTCP_FALLBACK);
  sink.fixed(session.mptcpJoined ? MPTCP_JOINED : MPTCP);
  if (session.mptcpToken !== undefined) sink.integer(MPTCP_TOKEN, session.mptcpToken);
}

function describeCounters(session: Session, sink: SpanSink): void {
  sink.integer(TX_BYTES, session.txBytes);
  sink.integer(RX_BYTES, session.rxBytes);
  sink.integer(UNACKED_BYTES, session.unackedBytes);
  if (session.bytesBypassed) sink.fixed(BYPASSED);
  const { unreadBytes, smoothedRttUs, minRttUs, handshakeUs } = session;
  if (unreadBytes !== undefined) sink.integer(UNREAD_BYTES, unreadBytes);
  sink.integer(TX_SEGMENTS, session.txSegments);
  sink.integer(RX_SEGMENTS, session.rxSegments);
  sink.integer(RETRANSMITS, session.retransmits);
  if (smoothedRttUs !== undefined) sink.integer(SMOOTHED_RTT, smoothedRttUs);
  if (minRttUs !== undefined) sink.integer(MIN_RTT, minRttUs);
  if (handshakeUs !== undefined) sink.integer(HANDSHAKE, handshakeUs);
}

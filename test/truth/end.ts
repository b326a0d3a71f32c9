/** One end of a session: does what a case says, and remembers what really happened. */
import { constants } from "node:os";
import type {
  Actor,
  EndTruth,
  Failure,
  OwnEndTruth,
  ProcessTruth,
  SocketFamily,
  SocketInfo,
  Zone,
} from "../kernel/actor.ts";
import type { Endpoint, ExpectedEnd, ExpectedEvent, OwnerSource } from "./case.ts";
import { errorTypeOf } from "./errno.ts";
import type { Listener } from "./listener.ts";
import { OPTION, type SocketOption } from "./option.ts";
import { across, around, timed, type Window } from "./window.ts";

/** Who an end is. */
export interface EndOptions {
  readonly what: string;
  readonly role: "client" | "server";
  readonly family: SocketFamily;
  readonly actor: Actor;
  /** The actor's name for the socket. */
  readonly socket: string;
  readonly cookie?: bigint;
  readonly local?: Endpoint;
  readonly peer?: Endpoint;
}

/** The tracer's network namespace, whose interfaces it can name. */
const OWN_NETNS = Deno.statSync("/proc/self/ns/net").ino;
/** Largest payload of a segment, by loopback's MTU. Packets of many segments count as many. */
const LARGEST_SEGMENT = 65_483;
/** Less than any MSS here. */
const SMALLEST_SEGMENT = 1000;
/** MSG_PEEK and MSG_WAITALL. */
const PEEK_ALL = 0x102;

/** A socket of an actor. What it does is stamped, counted, and turned into the truth by `ended()`. */
export class End {
  readonly what: string;
  readonly role: "client" | "server";
  readonly socket: string;
  #actor: Actor;
  readonly #options: EndOptions;
  #process: ProcessTruth;
  #cookie: bigint | undefined;
  #local: Endpoint | undefined;
  #peerEndpoint: Endpoint | undefined;
  #peer: End | undefined;
  #opened: Window | undefined;
  #established: Window | undefined;
  #finSent: Window | undefined;
  #closed: Window | undefined;
  #broke: (Window & { readonly errno: number }) | undefined;
  #gone = false;
  #accepted = true;
  #writes = 0;
  #sent = 0;
  #received = 0;

  constructor(options: EndOptions) {
    this.#options = options;
    this.what = options.what;
    this.role = options.role;
    this.#actor = options.actor;
    this.socket = options.socket;
    this.#process = options.actor.process;
    this.#cookie = options.cookie;
    this.#local = options.local;
    this.#peerEndpoint = options.peer;
  }

  /** Who acts on it. */
  get actor(): Actor {
    return this.#actor;
  }

  /** From now on another process acts on it, which has a copy. */
  goesTo(actor: Actor): void {
    this.#actor = actor;
  }

  /** The local address and port, as soon as they are known. */
  get local(): Endpoint {
    return known(this.#local, this.what, "local address");
  }

  /** Payload written so far. */
  get sent(): number {
    return this.#sent;
  }

  /** When it connected, or tried to. */
  get opened(): Window {
    return known(this.#opened, this.what, "connect");
  }

  /** When the handshake was over. */
  get established(): Window {
    return known(this.#established, this.what, "handshake");
  }

  /** When it closed, aborted, disconnected or was killed. */
  get closed(): Window {
    return known(this.#closed, this.what, "close");
  }

  /** When it sent its FIN: shut down or closed. */
  get finSent(): Window {
    return known(this.#finSent, this.what, "FIN");
  }

  /** When its process got an error, and which. */
  get broke(): Window & { readonly errno: number } {
    return known(this.#broke, this.what, "error");
  }

  /**
   * Connects to a listener, and accepts there.
   * @param address to use if the listener is on all addresses
   * @returns the server's end
   */
  async connect(listener: Listener, address = listener.address): Promise<End> {
    const [truth, server] = await Promise.all([
      this.connectAlone({ address, port: listener.port }),
      listener.accept(),
    ]);
    this.meet(server, around(truth));
    return server;
  }

  /** Connects; nobody accepts. */
  async connectAlone(to: Endpoint): Promise<EndTruth> {
    const target = { family: this.#options.family, address: to.address, port: to.port };
    const truth = await this.actor.connect(this.socket, target);
    this.#opened = around(truth);
    this.connected(truth, this.#opened);
    return truth;
  }

  /** A connect that fails at once or after a while. */
  async failToConnect(to: Endpoint): Promise<Failure> {
    this.#peerEndpoint = to;
    const target = { family: this.#options.family, address: to.address, port: to.port };
    const failure = await this.actor.failToConnect(this.socket, target);
    this.#opened = around(failure);
    this.#broke = { ...this.#opened, errno: failure.errno };
    return failure;
  }

  /** Connects with sendto(2) and MSG_FASTOPEN; accepts. @returns the server's end */
  async connectFast(listener: Listener, bytes: number): Promise<End> {
    const [truth, server] = await Promise.all([
      this.actor.sendFastOpen(this.socket, listener.address, listener.port, bytes),
      listener.accept(),
    ]);
    this.#opened = around(truth);
    this.connected(truth, this.#opened);
    this.wrote(truth.bytes);
    this.meet(server, this.#opened);
    return server;
  }

  /** Sends a SYN with data, without waiting for an answer. */
  async startFast(to: Endpoint, bytes: number): Promise<void> {
    this.#peerEndpoint = { address: to.address, port: to.port };
    const truth = await this.actor.startFastOpen(this.socket, to.address, to.port, bytes);
    this.#learn(truth);
    this.#opened = around(truth);
    this.wrote(truth.bytes);
  }

  /** A SYN with data that is answered with an error. */
  async failFast(to: Endpoint, bytes: number): Promise<void> {
    this.#peerEndpoint = to;
    const failure = await this.actor.failToFastOpen(this.socket, to.address, to.port, bytes);
    this.#opened = around(failure);
    this.#broke = { ...this.#opened, errno: failure.errno };
    this.wrote(bytes);
  }

  /** Connects and aborts at once; nobody accepts. */
  async connectAndAbort(to: Endpoint): Promise<void> {
    const target = { family: this.#options.family, address: to.address, port: to.port };
    const truth = await this.actor.connectAndAbort(this.socket, target);
    this.#opened = around(truth);
    this.connected(truth, this.#opened);
    this.#closed = around(truth.closed);
  }

  /** Sends a SYN, without waiting for an answer. */
  async startConnect(to: Endpoint): Promise<void> {
    this.#peerEndpoint = to;
    const truth = await this.actor.startConnect(this.socket, to.address, to.port);
    this.#learn(truth);
    this.#opened = around(truth);
  }

  /** Waits for the connection that `startConnect()` started. */
  async finishConnect(): Promise<void> {
    const truth = await this.actor.finishConnect(this.socket);
    this.connected(truth, across(this.opened, around(truth)));
  }

  /** Waits until the connection that `startConnect()` started is refused. */
  async failToFinish(): Promise<void> {
    const failure = await this.actor.failToFinishConnect(this.socket);
    this.#broke = { ...around(failure), errno: failure.errno };
  }

  /** Notes a connection that was made in another way. */
  connected(truth: EndTruth, established: Window): void {
    this.#learn(truth);
    const address = this.#addressText(truth.peer_address, truth.peer_zone);
    this.#peerEndpoint = { address, port: truth.peer_port };
    this.#established = established;
  }

  /** Notes a handshake that nobody waited for. */
  establishedWithin(window: Window): void {
    this.#established = window;
  }

  /** Notes the other end of a client, and when both were opened. */
  meet(server: End, opened: Window): void {
    this.#peer = server;
    server.#peer = this;
    this.#opened ??= opened;
    server.#opened = opened;
    server.#established = across(opened, this.#established, server.#established);
  }

  /** Notes the other end, if both connected. */
  pair(other: End): void {
    this.#peer = other;
    other.#peer = this;
  }

  /** The server's end of a session that nobody will accept. */
  static unaccepted(client: End, listener: Listener): End {
    const { address, port, family, actor } = listener;
    const end = new End({
      what: "server",
      role: "server",
      family,
      actor,
      socket: "none",
      local: { address, port },
      peer: client.local,
    });
    end.#accepted = false;
    client.meet(end, client.opened);
    return end;
  }

  /** The same socket, for its next connect. */
  again(what: string): End {
    return new End({ ...this.#options, ...this.#identity(), what });
  }

  #identity(): Partial<EndOptions> {
    return {
      ...(this.#cookie === undefined ? {} : { cookie: this.#cookie }),
      ...(this.#local === undefined ? {} : { local: this.#local }),
    };
  }

  async setOption(option: SocketOption, value: number | string): Promise<void> {
    const [level, number] = OPTION[option];
    await this.actor.setOption(this.socket, level, number, value);
  }

  /** @param flags of send(2) */
  async send(bytes: number, flags = 0): Promise<Window> {
    const stamps = await this.actor.send(this.socket, bytes, flags);
    this.wrote(bytes);
    return around(stamps);
  }

  /** Notes bytes that were sent in another way. */
  wrote(bytes: number, writes = 1): void {
    this.#sent += bytes;
    this.#writes += writes;
  }

  async sendUntilFull(): Promise<number> {
    const bytes = await this.actor.sendUntilFull(this.socket);
    this.wrote(bytes, Math.ceil(bytes / SMALLEST_SEGMENT));
    return bytes;
  }

  /** sendfile(2) */
  async sendFile(bytes: number): Promise<void> {
    await this.actor.sendFile(this.socket, bytes);
    this.wrote(bytes);
  }

  /** @param flags of recv(2), not MSG_PEEK */
  async receive(bytes: number, flags = 0): Promise<void> {
    await this.actor.receive(this.socket, bytes, flags);
    this.#received += bytes;
  }

  /** Looks at bytes without taking them. */
  async peek(bytes: number): Promise<void> {
    await this.actor.receive(this.socket, bytes, PEEK_ALL);
  }

  /** splice(2) from a file, and to one at the other end. */
  async splice(bytes: number): Promise<void> {
    await Promise.all([
      this.actor.splice(this.socket, bytes, "send"),
      this.other.actor.splice(this.other.socket, bytes, "receive"),
    ]);
    this.wrote(bytes, bytes);
    this.other.#received += bytes;
    await this.untilAcknowledged();
  }

  /** Both ends send at the same time, and receive it all. */
  async exchange(bytes: number, ofOther: number): Promise<void> {
    const { other } = this;
    await Promise.all([
      this.actor.exchange(this.socket, bytes, ofOther),
      other.actor.exchange(other.socket, ofOther, bytes),
    ]);
    this.wrote(bytes);
    other.wrote(ofOther);
    this.#received += ofOther;
    other.#received += bytes;
    await Promise.all([this.untilAcknowledged(), other.untilAcknowledged()]);
  }

  /** Sends; the other end receives and acknowledges everything. */
  async transfer(bytes: number): Promise<void> {
    await Promise.all([this.send(bytes), this.other.receive(bytes)]);
    await this.actor.untilAcknowledged(this.socket);
  }

  /** Sends what the other end acknowledges, and leaves it unread there. */
  async sendUnread(bytes: number): Promise<void> {
    await this.send(bytes);
    await this.actor.untilAcknowledged(this.socket);
  }

  /** TCP_INFO, for the counts that a case does not make itself. */
  info(): Promise<SocketInfo> {
    return this.actor.info(this.socket);
  }

  async receiveFin(): Promise<void> {
    await this.actor.receiveFin(this.socket);
  }

  /** Waits until its process gets the error that ended the session. */
  async receiveError(): Promise<void> {
    const failure = await this.actor.failToReceive(this.socket);
    this.#broke = { ...around(failure), errno: failure.errno };
  }

  /** Waits until its socket is gone, if a FIN came first and no error will be read. */
  async untilGone(): Promise<void> {
    const window = around(await this.actor.untilClosed(this.socket));
    this.#broke = { ...window, errno: constants.errno.ECONNRESET };
  }

  /** Sends a FIN and stays open for the peer's data. */
  async shutdown(): Promise<void> {
    this.#finSent = around(await this.actor.shutdown(this.socket));
  }

  /** Waits until the peer has acknowledged all, the FIN too. */
  async untilAcknowledged(): Promise<void> {
    await this.actor.untilAcknowledged(this.socket);
  }

  async close(): Promise<void> {
    this.#closed = around(await this.actor.close(this.socket));
    this.#finSent ??= this.#closed;
  }

  /** Closes with SO_LINGER and a time of 0. */
  async abort(): Promise<void> {
    this.#closed = around(await this.actor.abort(this.socket));
  }

  /** Closes with SO_LINGER and a time of some seconds. */
  async linger(seconds: number): Promise<void> {
    this.#closed = around(await this.actor.linger(this.socket, seconds));
    this.#finSent ??= this.#closed;
  }

  /** connect(2) with AF_UNSPEC. */
  async disconnect(): Promise<void> {
    this.#closed = around(await this.actor.disconnect(this.socket));
  }

  /** SIGKILL to its process. */
  async kill(): Promise<void> {
    this.#closed = await timed(() => this.actor.kill());
    this.#finSent ??= this.#closed;
    this.#gone = true;
  }

  /** Its process ends by itself, and closes it. */
  async exit(): Promise<void> {
    this.#closed = await timed(() => this.actor.exit());
    this.#finSent ??= this.#closed;
    this.#gone = true;
  }

  /** Notes an end with another cause, such as `ss -K`, and whether with a FIN. */
  closedWithin(window: Window, withFin = false): void {
    this.#closed = window;
    if (withFin) this.#finSent = window;
  }

  /** The other end. */
  get other(): End {
    return known(this.#peer, this.what, "peer");
  }

  /**
   * The truth, once both ends are done.
   * @param lastState the state before CLOSE
   * @param special what differs from what its actions suggest
   */
  ended(
    lastState: string,
    closeBy: ExpectedEnd["closeBy"],
    closeReason: string,
    special: Partial<ExpectedEnd> = {},
  ): ExpectedEnd {
    // nothing is known about a handshake before the tracer
    const established = special.established ??
      (special.startObserved === false ? undefined : this.#established);
    const end = special.end ?? this.#end(lastState, closeReason);
    const start = special.start ?? this.opened;
    const opened = this.#opened ?? start; // a round trip may begin before a server's start
    const lifeUs = Number((end.to - (opened.from < start.from ? opened : start).from) / 1000n) +
      100;
    const opening = established === undefined
      ? 0
      : Number((established.to - start.from) / 1000n) + 100;
    const unacked = special.unackedBytes ?? 0;
    const txBytes = special.txBytes ??
      this.#sent - (typeof unacked === "number" ? unacked : this.#sent);
    const rxBytes = special.rxBytes ?? this.#peer?.sent ?? 0;
    const client = this.role === "client" ? this : this.#peer;
    const error = this.#error(closeReason);
    const peer = known(this.#peerEndpoint, this.what, "peer address");
    return {
      what: this.what,
      role: this.role,
      family: peer.address.includes(":") ? "ipv6" : "ipv4",
      local: this.local,
      peer,
      netns: this.#process.netns,
      cookie: this.#accepted ? this.#cookie : undefined,
      startObserved: true,
      owner: this.#process,
      thread: this.#process.comm,
      ownerSource: this.#ownerSource(),
      ownerMayBeGone: this.#gone,
      txBytes,
      rxBytes,
      unackedBytes: 0,
      unreadBytes: this.#unread(rxBytes, end),
      txSegments: segments(this.#sent, this.#writes),
      rxSegments: this.#peer === undefined ? 0 : segments(this.#peer.#sent, this.#peer.#writes),
      retransmits: 0,
      rttUs: this.#established === undefined ? undefined : [1, lifeUs],
      handshakeUs: established === undefined ? undefined : [1, opening],
      lastState,
      closeBy,
      closeReason,
      error,
      start,
      established,
      end,
      events: special.events ?? this.#events(lastState, closeReason, end, established),
      session: this.#established === undefined || client === undefined
        ? undefined
        : `${client.local.address} ${client.local.port} ${this.opened.from}`,
      parent: this.role === "server" ? "client" : "none",
      outlivesClient: false,
      ...special,
    };
  }

  #learn(truth: OwnEndTruth): void {
    this.#cookie = truth.cookie;
    const address = this.#addressText(truth.local_address, truth.local_zone);
    this.#local = { address, port: truth.local_port };
  }

  /** As in docs/span.md: IPv4 without mapping, and the zone by the name that the tracer knows. */
  #addressText(address: string, zone: Zone | null): string {
    if (zone === null) return address.replace(/^::ffff:(?=\d+\.)/, "");
    const [index, name] = zone;
    return `${address}%${this.#process.netns === OWN_NETNS ? name : index}`;
  }

  #ofPeer<T>(fact: (peer: End) => T): T | undefined {
    return this.#peer === undefined ? undefined : fact(this.#peer);
  }

  #ownerSource(): OwnerSource {
    if (this.role === "client") return "connect";
    if (this.#sent > 0 || this.#received > 0) return "recv";
    return this.#accepted ? "close" : "listen";
  }

  /** When the socket entered CLOSE, as far as the actions show. */
  #end(lastState: string, closeReason: string): Window {
    const peerFin = this.#ofPeer((peer) => peer.#finSent);
    const peerClosed = this.#ofPeer((peer) => peer.#closed);
    switch (closeReason) {
      case "fin":
        if (lastState === "last_ack") return this.finSent;
        // an orphan goes with the acknowledgement of its FIN; others with the peer's FIN
        if (
          this.#closed !== undefined && (peerFin === undefined || this.#closed.from < peerFin.from)
        ) {
          return across(this.#closed, peerFin, peerClosed);
        }
        return known(peerFin, this.what, "peer's FIN");
      case "aborted":
        return this.closed;
      case "reset":
        return known(peerClosed, this.what, "peer's reset");
      default:
        return this.broke;
    }
  }

  #error(closeReason: string): string | undefined {
    switch (closeReason) {
      case "fin":
      case "aborted":
        return undefined;
      case "reset":
        return "connection_reset";
      default:
        return this.#broke === undefined ? "timed_out" : errorTypeOf(this.#broke.errno);
    }
  }

  #unread(rxBytes: ExpectedEnd["rxBytes"], end: Window): ExpectedEnd["unreadBytes"] {
    if (typeof rxBytes !== "number") return [0, rxBytes[1]];
    const unread = rxBytes - this.#received;
    const closedBefore = this.#closed !== undefined && this.#closed.from <= end.to;
    return unread > 0 && !closedBefore ? { maybe: unread } : unread;
  }

  #events(
    lastState: string,
    closeReason: string,
    end: Window,
    established: Window | undefined,
  ): ExpectedEvent[] {
    const events: ExpectedEvent[] = [];
    if (established !== undefined) {
      events.push({ name: "tcpspan.established", within: established });
    }
    if (["fin_wait1", "fin_wait2", "closing", "last_ack"].includes(lastState)) {
      events.push({ name: "tcpspan.fin.sent", within: this.finSent });
    }
    const peerFin = this.#ofPeer((peer) => peer.#finSent);
    const peerFinSeen = ["close_wait", "closing", "last_ack"].includes(lastState);
    if (
      peerFin !== undefined && (peerFinSeen || (lastState === "fin_wait2" && closeReason === "fin"))
    ) {
      const within = { from: peerFin.from, to: end.to > peerFin.to ? end.to : peerFin.to };
      // an orphan ends before the peer's FIN, or with it
      const optional = !peerFinSeen && this.#closed !== undefined &&
        this.#closed.from <= peerFin.to;
      events.push({
        name: "tcpspan.fin.received",
        within: peerFinSeen ? peerFin : within,
        optional,
      });
    }
    if (closeReason === "reset") events.push({ name: "tcpspan.reset.received", within: end });
    return events;
  }
}

/** How many segments carried `bytes`, whatever was merged or split. */
function segments(bytes: number, writes: number): readonly [number, number] {
  return [Math.ceil(bytes / LARGEST_SEGMENT), Math.ceil(bytes / SMALLEST_SEGMENT) + writes];
}

function known<T>(value: T | undefined, what: string, missing: string): T {
  if (value === undefined) throw new Error(`the ${what} has no ${missing}: tell it in the case`);
  return value;
}

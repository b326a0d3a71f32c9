/** A process that makes TCP sessions on command: the driver of programs/actor.py. */
import { strict as assert } from "node:assert";
import { TextLineStream } from "../lines.ts";
import { PYTHON } from "../python.ts";

const PROGRAM = new URL("../programs/actor.py", import.meta.url).pathname;

/** What a process says about itself. */
export interface ProcessTruth {
  readonly pid: number;
  readonly uid: number;
  readonly comm: string;
  readonly exe: string;
  readonly exe_path: string;
  /** Clock ticks since boot, of which there are 100 a second. */
  readonly start_ticks: number;
  readonly cgroup_id: bigint;
  readonly netns: number;
}

/** The clocks around one action, in nanoseconds. */
export interface Stamps {
  /** CLOCK_BOOTTIME. */
  readonly before_ns: bigint;
  readonly after_ns: bigint;
  readonly wall_before_ns: bigint;
  readonly wall_after_ns: bigint;
}

/** A socket as its process sees it, connected or not yet. */
export interface OwnEndTruth {
  readonly local_address: string;
  readonly local_port: number;
  readonly local_zone: Zone | null;
  readonly cookie: bigint;
}

/** The interface of a link-local address. */
export type Zone = readonly [index: number, name: string];

/** A connected socket as its process sees it. */
export interface EndTruth extends OwnEndTruth, Stamps {
  readonly peer_address: string;
  readonly peer_port: number;
  readonly peer_zone: Zone | null;
}

/** An action that failed. */
export interface Failure extends Stamps {
  readonly errno: number;
}

/** Options of a listener. */
export interface ListenOptions {
  /** Picked by the kernel by default. */
  readonly port?: number;
  readonly backlog?: number;
  /** SO_REUSEPORT. */
  readonly reuse_port?: boolean;
  readonly mptcp?: boolean;
}

/** Options of a socket that connects later. */
export interface SocketOptions {
  readonly family: SocketFamily;
  /** Local address and port to bind to. */
  readonly source?: string;
  readonly source_port?: number;
  readonly mptcp?: boolean;
}

/** Part of TCP_INFO, and what waits in either direction (SIOCOUTQ, SIOCINQ). */
export interface SocketInfo {
  /** TCPI_OPT_* */
  readonly options: number;
  readonly rtt_us: number;
  readonly min_rtt_us: number;
  readonly total_retrans: number;
  readonly data_segs_in: number;
  readonly data_segs_out: number;
  readonly unsent_or_unacked: number;
  readonly unread: number;
}

/** What decides over bytes of the sockets in a sockmap. */
export interface SockmapProgram {
  /** Of what is sent, or of what TCP received. */
  readonly kind?: "msg" | "skb";
  /** Index of the socket that it redirects to; without one it passes. */
  readonly to?: number;
  /** Redirect to what the socket's process receives, the default, or to what it sends. */
  readonly ingress?: boolean;
}

/** `dual` is an IPv6 socket that also speaks IPv4. */
export type SocketFamily = "ipv4" | "ipv6" | "dual";

/** Where to connect to, and how. */
export interface Target {
  readonly family: SocketFamily;
  readonly address: string;
  readonly port: number;
  /** Local address to bind to. */
  readonly source?: string;
  /** Connect in a second thread with this name. */
  readonly thread?: string;
  readonly mptcp?: boolean;
}

/** How to start the process. */
export interface ActorOptions {
  /** The kernel's name for it. */
  readonly comm?: string;
  readonly uid?: number;
  /** Folder of a cgroup to join, or one folder for each of some hierarchies. */
  readonly cgroup?: string | readonly string[];
  /** What stands in front of the command line, such as `ip netns exec NAME`. */
  readonly under?: readonly string[];
}

type Command = Readonly<Record<string, string | number | boolean | undefined>>;

/** The process. The test gives its sockets names. */
export class Actor implements AsyncDisposable {
  readonly #child: Deno.ChildProcess | undefined;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  /** Name of a second thread that acts from now on; undefined for the first thread. */
  thread: string | undefined;

  /** @param child if it is a child of this process, not of another actor */
  private constructor(
    input: WritableStream<Uint8Array>,
    output: ReadableStream<Uint8Array<ArrayBuffer>>,
    child?: Deno.ChildProcess,
  ) {
    this.#child = child;
    this.#input = input.getWriter();
    this.#lines = output.pipeThrough(new TextLineStream()).getReader();
  }

  /** The process as it was at its start. */
  process: ProcessTruth = {
    pid: 0,
    uid: 0,
    comm: "",
    exe: "",
    exe_path: "",
    start_ticks: 0,
    cgroup_id: 0n,
    netns: 0,
  };

  static async start(options: ActorOptions = {}): Promise<Actor> {
    const { comm = "actor", uid, cgroup, under = [] } = options;
    const argument = JSON.stringify({ comm, uid, cgroups: [cgroup ?? []].flat() });
    const [command = "", ...args] = [...under, ...PYTHON, PROGRAM, argument];
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped" }).spawn();
    const actor = new Actor(child.stdin, child.stdout, child);
    actor.process = await actor.#read<ProcessTruth>("start");
    return actor;
  }

  /** @returns the port, which the kernel picks */
  async listen(
    name: string,
    family: SocketFamily,
    address: string,
    options: ListenOptions = {},
  ): Promise<number> {
    return (await this.#do<{ port: number }>("listen", { name, family, address, ...options })).port;
  }

  /** Makes a socket for a later `connect` of the same name. */
  prepare(name: string, options: SocketOptions): Promise<OwnEndTruth> {
    return this.#do("prepare", { name, ...options });
  }

  /** setsockopt(2), by the numbers of the kernel's headers. */
  async setOption(
    name: string,
    level: number,
    option: number,
    value: number | string,
  ): Promise<void> {
    await this.#do("set_option", { name, level, option, value });
  }

  /** Sends the SYN from a socket made with `prepare()`, without waiting for an answer. */
  startConnect(name: string, address: string, port: number): Promise<OwnEndTruth & Stamps> {
    return this.#do("start_connect", { name, address, port });
  }

  /** Waits for the connection that `startConnect()` started. */
  finishConnect(name: string): Promise<EndTruth> {
    return this.#do("finish_connect", { name });
  }

  /** Waits until `startConnect()` has failed. */
  async failToFinishConnect(name: string): Promise<Failure> {
    const reply = await this.#ask<Failure>("finish_connect", { name });
    assert.notEqual(reply.errno, 0, "connect was to fail");
    return reply;
  }

  /** Takes a port without listening, so that it refuses connections. */
  async reservePort(family: SocketFamily, address: string): Promise<number> {
    const command = { name: "reserved", family, address, listen: false };
    return (await this.#do<{ port: number }>("listen", command)).port;
  }

  connect(name: string, target: Target): Promise<EndTruth> {
    return this.#do("connect", { name, ...target });
  }

  /** A connect that fails. */
  async failToConnect(name: string, target: Target): Promise<Failure> {
    const reply = await this.#ask<Failure>("connect", { name, ...target });
    assert.notEqual(reply.errno, 0, "connect was to fail");
    return reply;
  }

  /** Connects and closes with a reset, at once. */
  connectAndAbort(name: string, target: Target): Promise<EndTruth & { closed: Stamps }> {
    return this.#do("connect_and_abort", { name, ...target });
  }

  /** connect(2) with AF_UNSPEC. */
  disconnect(name: string): Promise<Stamps> {
    return this.#do("disconnect", { name });
  }

  accept(listener: string, name: string): Promise<EndTruth> {
    return this.#do("accept", { listener, name });
  }

  /** @param flags of send(2) */
  send(name: string, bytes: number, flags = 0): Promise<Stamps> {
    return this.#do("send", { name, bytes, flags });
  }

  /** sendto(2) with MSG_FASTOPEN, on a socket made with `prepare()`. */
  sendFastOpen(
    name: string,
    address: string,
    port: number,
    bytes: number,
  ): Promise<EndTruth & { bytes: number }> {
    return this.#do("send_fast_open", { name, address, port, bytes });
  }

  /** sendfile(2). */
  sendFile(name: string, bytes: number): Promise<Stamps> {
    return this.#do("send_file", { name, bytes });
  }

  /** splice(2) through a pipe, from a file or to one. */
  splice(name: string, bytes: number, direction: "send" | "receive"): Promise<Stamps> {
    return this.#do("splice", { name, bytes, send: direction === "send" });
  }

  /** Sends and receives at the same time. */
  async exchange(name: string, send: number, receive: number): Promise<Stamps> {
    const reply = await this.#do<Stamps & { bytes: number }>("exchange", { name, send, receive });
    assert.equal(reply.bytes, receive, "the peer closed early");
    return reply;
  }

  /** The same, without waiting for an answer to the SYN. */
  startFastOpen(
    name: string,
    address: string,
    port: number,
    bytes: number,
  ): Promise<OwnEndTruth & Stamps & { bytes: number }> {
    return this.#do("send_fast_open", { name, address, port, bytes, wait: false });
  }

  /** The same, if it fails. */
  async failToFastOpen(
    name: string,
    address: string,
    port: number,
    bytes: number,
  ): Promise<Failure> {
    const reply = await this.#ask<Failure>("send_fast_open", { name, address, port, bytes });
    assert.notEqual(reply.errno, 0, "sendto was to fail");
    return reply;
  }

  /** Writes until the buffers of both ends are full. @returns the number of bytes */
  async sendUntilFull(name: string): Promise<number> {
    return (await this.#do<{ bytes: number }>("send_until_full", { name })).bytes;
  }

  /** @param flags of recv(2) */
  async receive(name: string, bytes: number, flags = 0): Promise<Stamps> {
    const reply = await this.#do<Stamps & { bytes: number }>("receive", { name, bytes, flags });
    assert.equal(reply.bytes, bytes, "the peer closed early");
    return reply;
  }

  /** Receives until the peer's FIN; nothing else must come before it. */
  async receiveFin(name: string): Promise<Stamps> {
    const reply = await this.#do<Stamps & { bytes: number }>("receive", { name });
    assert.equal(reply.bytes, 0);
    return reply;
  }

  /** Receives until the connection breaks. @returns the errno */
  async receiveError(name: string): Promise<number> {
    return (await this.failToReceive(name)).errno;
  }

  /** Receives until the connection breaks. */
  async failToReceive(name: string): Promise<Failure> {
    const reply = await this.#ask<Failure>("receive", { name });
    assert.notEqual(reply.errno, 0, "receive was to fail");
    return reply;
  }

  /** shutdown(2), with SHUT_WR by default. */
  shutdown(name: string, how = 1): Promise<Stamps> {
    return this.#do("shutdown", { name, how });
  }

  close(name: string): Promise<Stamps> {
    return this.#do("close", { name });
  }

  /** Closes with SO_LINGER and a time of 0: a reset. */
  abort(name: string): Promise<Stamps> {
    return this.#do("close", { name, linger_zero: true });
  }

  /** Closes with SO_LINGER: waits until the peer has acknowledged all, `seconds` at most. */
  linger(name: string, seconds: number): Promise<Stamps> {
    return this.#do("close", { name, linger: seconds });
  }

  info(name: string): Promise<SocketInfo> {
    return this.#do("info", { name });
  }

  /** Waits until the peer has acknowledged all, also a FIN. */
  async untilAcknowledged(name: string): Promise<void> {
    while ((await this.info(name)).unsent_or_unacked > 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Waits until the socket is in CLOSE. */
  untilClosed(name: string): Promise<Stamps> {
    return this.#do("wait_closed", { name });
  }

  /** Sets the wall clock forward or back, and undoes it exactly after `forMs`. */
  stepClock(seconds: number, forMs: number): Promise<Stamps> {
    return this.#do("step_clock", { seconds, for_ms: forMs });
  }

  /** Waits until the steps of the wall clock are undone. */
  async waitForClock(): Promise<void> {
    await this.#do("wait_for_clock", {});
  }

  /** Starts to record the sequence numbers of SYNs of one IPv4 port. */
  async sniff(networkInterface: string, port: number): Promise<void> {
    await this.#do("sniff", { interface: networkInterface, port });
  }

  /** The recorded sequence numbers, by source port. */
  async sniffed(port: number): Promise<Record<string, number>> {
    return (await this.#do<{ numbers: Record<string, number> }>("sniffed", { port })).numbers;
  }

  /** From now on a child process with copies of all sockets acts, until `leave()`. */
  async fork(): Promise<ProcessTruth> {
    return (await this.#do<{ process: ProcessTruth }>("fork", {})).process;
  }

  /** Ends the child that `fork()` made. */
  async leave(): Promise<void> {
    await this.#do("leave", {});
  }

  /** A child process with copies of all sockets that acts beside this one. */
  async split(comm?: string): Promise<Actor> {
    return await atMeetingPoint(async (path) => {
      using control = Deno.listen({ transport: "unix", path });
      const [connection] = await Promise.all([
        control.accept(),
        this.#do("split", { control: path, comm }),
      ]);
      const actor = new Actor(connection.writable, connection.readable);
      actor.process = await actor.#read<ProcessTruth>("split");
      return actor;
    });
  }

  /** execve(2): the same process runs another executable, a copy of Python, with all sockets. */
  async execute(program: string, comm: string): Promise<void> {
    this.process = await this.#ask<ProcessTruth>("execute", { program, comm });
  }

  /** setuid(2). */
  async setUser(uid: number): Promise<void> {
    this.process = (await this.#do<{ process: ProcessTruth }>("set_user", { uid })).process;
  }

  /** Hands a copy of a socket to another process by SCM_RIGHTS. */
  async pass(name: string, to: Actor): Promise<void> {
    await atMeetingPoint(async (path) => {
      await Promise.all([
        to.#do("take", { name, path }),
        this.#do("pass_on", { name, path }),
      ]);
    });
  }

  /** Makes a sockmap with sockets of this process, by index, and a program. */
  async makeSockmap(names: readonly string[], program: SockmapProgram = {}): Promise<void> {
    await this.#do("make_sockmap", { names: names.join(" "), ...program });
  }

  /** Removes a socket from it, by its index. */
  async leaveSockmap(index: number): Promise<void> {
    await this.#do("leave_sockmap", { index });
  }

  /** Whether a listener has a session to accept, or a socket something to read. */
  async isReady(name: string): Promise<boolean> {
    return (await this.#do<{ ready: boolean }>("is_ready", { name })).ready;
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    if (this.#child === undefined) Deno.kill(this.process.pid, "SIGKILL");
    else this.#child.kill("SIGKILL");
    await this.#lines.read(); // its last line
    await this.#child?.status;
  }

  /** Lets the process end by itself, and close what it has open. */
  async exit(): Promise<void> {
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // a killed one has none
    await this.#lines.cancel();
    await this.#child?.status;
  }

  async #do<Reply>(name: string, command: Command): Promise<Reply> {
    const reply = await this.#ask<Reply & { errno: number }>(name, command);
    assert.equal(reply.errno, 0, `${name} failed with errno ${reply.errno}`);
    return reply;
  }

  async #ask<Reply>(name: string, command: Command): Promise<Reply> {
    const line = `${JSON.stringify({ do: name, thread: this.thread, ...command })}\n`;
    await this.#input.write(new TextEncoder().encode(line));
    return await this.#read<Reply>(name);
  }

  async #read<Reply>(command: string): Promise<Reply> {
    const { value } = await this.#lines.read();
    assert.ok(value !== undefined, `the process ended instead of answering ${command}`);
    return JSON.parse(value, revive);
  }
}

/** Calls `work` with a path for a Unix socket. */
async function atMeetingPoint<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = `/tmp/tcpspan-${crypto.randomUUID()}`;
  try {
    return await work(path);
  } finally {
    await Deno.remove(path).catch(() => {}); // a listener of Deno has done it
  }
}

/** Nanoseconds and ids of 64 bits come as strings. */
function revive(key: string, value: unknown): unknown {
  const isBig = key.endsWith("_ns") || key === "cookie" || key === "cgroup_id";
  return isBig && typeof value === "string" ? BigInt(value) : value;
}

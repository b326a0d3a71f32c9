/** A client, a server and a capture: the start of most kernel tests. */
import type { CaptureOptions } from "../../src/capture/capture_options.ts";
import { Actor, type ActorOptions, type EndTruth, type SocketFamily } from "./actor.ts";
import { Trace } from "./harness.ts";

/** How client and server are connected. */
export interface SceneOptions {
  readonly listen?: { readonly family: SocketFamily; readonly address: string };
  /** Where the client connects to; the listener's own address by default. */
  readonly connect?: {
    readonly family: SocketFamily;
    readonly address: string;
    readonly source?: string;
  };
  readonly client?: ActorOptions;
  readonly server?: ActorOptions;
  /** Whether both ends ask for MPTCP. */
  readonly mptcp?: boolean;
  /** What to capture, given the listener's port. */
  readonly capture?: (port: number) => CaptureOptions;
}

/** In each process the connected socket is called `s`, the listener `l`. */
export class Scene implements AsyncDisposable {
  readonly #options: SceneOptions;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    options: SceneOptions,
    resources: AsyncDisposableStack,
    readonly client: Actor,
    readonly server: Actor,
    readonly port: number,
    readonly trace: Trace,
  ) {
    this.#options = options;
    this.#resources = resources;
  }

  /** Starts both processes and the listener, and then the capture. */
  static async open(options: SceneOptions = {}): Promise<Scene> {
    await using resources = new AsyncDisposableStack();
    const { family, address } = options.listen ?? { family: "ipv4", address: "127.0.0.1" };
    const client = resources.use(await Actor.start({ comm: "test-client", ...options.client }));
    const server = resources.use(await Actor.start({ comm: "test-server", ...options.server }));
    const { mptcp = false } = options;
    const port = await server.listen("l", family, address, { mptcp });
    const trace = resources.use(await Trace.start(options.capture?.(port) ?? {}));
    return new Scene(options, resources.move(), client, server, port, trace);
  }

  /** Connects the client, and accepts. */
  async connect(thread?: string): Promise<{ client: EndTruth; server: EndTruth }> {
    const to = this.#options.connect ?? this.#options.listen ??
      { family: "ipv4" as const, address: "127.0.0.1" };
    const { mptcp = false } = this.#options;
    const target = { ...to, port: this.port, mptcp, ...(thread === undefined ? {} : { thread }) };
    const [client, server] = await Promise.all([
      this.client.connect("s", target),
      this.server.accept("l", "s"),
    ]);
    return { client, server };
  }

  /** Sends both ways, one direction after the other, and receives it all. */
  async exchange(fromClient: number, fromServer: number): Promise<void> {
    await Promise.all([this.client.send("s", fromClient), this.server.receive("s", fromClient)]);
    await Promise.all([this.server.send("s", fromServer), this.client.receive("s", fromServer)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

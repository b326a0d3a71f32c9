/** What every trial needs: a load of sessions, a receiver that counts ids, and tcpspan. */
import { join } from "node:path";
import { Load, LOAD_ALONE } from "../../bench/load.ts";
import { Sink } from "../../bench/sink.ts";
import { sleep } from "../../bench/sleep.ts";
import { unpin } from "../../src/capture/pin/unpin.ts";
import { Process } from "../e2e/process.ts";
import { command, environment, REPOSITORY, TRACING } from "../e2e/tcpspan.ts";
import { BpfFileSystem } from "../kernel/bpf_file_system.ts";
import { makeTempFolder } from "../temp_folder.ts";

/** How tcpspan is configured for a trial. Texts are YAML in flow style, without braces. */
export interface Setup {
  readonly capture?: string;
  readonly queue?: string;
  /** Keys of the otlp exporter besides its endpoint and its queue. */
  readonly exporter?: string;
}

const QUIET_MS = 2500;
const LOOK_MS = 250;

/** Ready for one trial. */
export class Rig implements AsyncDisposable {
  private constructor(
    private readonly resources: AsyncDisposableStack,
    readonly folder: string,
    readonly pin: string,
    readonly load: Load,
    readonly sink: Sink,
  ) {}

  static async prepare(): Promise<Rig> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await makeTempFolder());
    const system = stack.use(await BpfFileSystem.mount());
    const pin = `${system.path}/tcpspan`;
    stack.defer(() => void unpin(pin));
    const load = stack.use(await Load.prepare(path));
    const sink = stack.use(await Sink.start(path));
    await sink.reset(load.netns);
    return new Rig(stack.move(), path, pin, load, sink);
  }

  /** Writes the config, for `spawn` and `start`. */
  async configure({ capture = "", queue = "", exporter = "" }: Setup): Promise<void> {
    const endpoint = `endpoint: "http://127.0.0.1:${this.sink.port}"`;
    const retry = "retry_on_failure: { initial_interval: 100ms, max_interval: 500ms }";
    await Deno.writeTextFile(
      this.#config,
      `capture: { ${[LOAD_ALONE, capture].filter((part) => part !== "").join(", ")} }
exporters:
  otlp: { ${endpoint}, ${retry}, sending_queue: { ${queue} }${exporter && `, ${exporter}`} }
`,
    );
  }

  /** Starts tcpspan, and waits for nothing. */
  spawn(): Process {
    return new Process(command("--config", this.#config), {
      cwd: REPOSITORY,
      env: environment(),
    });
  }

  /** Starts tcpspan, and waits until it traces. */
  async start(): Promise<Process> {
    const process = this.spawn();
    try {
      await process.stderr.waitForLines(1, (line) => line.startsWith(TRACING));
      return process;
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits until nothing has arrived for longer than the time between two tries. */
  async untilDelivered(): Promise<void> {
    let [spans, since] = [-1, performance.now()];
    while (performance.now() - since < QUIET_MS) {
      const counted = (await this.sink.count()).spans;
      if (counted !== spans) [spans, since] = [counted, performance.now()];
      await sleep(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }

  get #config(): string {
    return join(this.folder, "tcpspan.yaml");
  }
}

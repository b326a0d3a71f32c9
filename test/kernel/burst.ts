/** Many sessions at once: the driver of programs/burst.py. */
import { strict as assert } from "node:assert";
import { TextLineStream } from "../lines.ts";
import { PYTHON } from "../python.ts";

const PROGRAM = new URL("../programs/burst.py", import.meta.url).pathname;

/** One end of one of the sessions. */
export interface BurstEnd {
  readonly role: "active" | "passive";
  readonly pid: number;
  readonly cookie: string;
  readonly local_port: number;
  readonly peer_port: number;
  /** Payload each way. */
  readonly bytes: number;
}

/** How many sessions: `clients` × `threads` × `sessions`. */
export interface BurstSize {
  readonly clients: number;
  readonly threads: number;
  readonly sessions: number;
}

/** The processes, which wait for `run()`. */
export class Burst implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #port = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextLineStream()).getReader();
  }

  /** @param under what stands in front of the command line */
  static async prepare(size: BurstSize, under: readonly string[] = []): Promise<Burst> {
    const { clients, threads, sessions } = size;
    const counts = Object.entries({ clients, threads, sessions });
    const [command = "", ...args] = [
      ...under,
      ...PYTHON,
      PROGRAM,
      ...counts.map(([name, value]) => `--${name}=${value}`),
    ];
    const burst = new Burst(
      new Deno.Command(command, { args, stdin: "piped", stdout: "piped" }).spawn(),
    );
    burst.#port = Number(await burst.#read());
    return burst;
  }

  /** The listener's port. */
  get port(): number {
    return this.#port;
  }

  /** Makes all sessions. @returns both ends of each */
  async run(): Promise<BurstEnd[]> {
    await this.#child.stdin.close();
    return JSON.parse(await this.#read());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // closed by run() already
    await this.#lines.cancel();
    await this.#child.status;
  }

  async #read(): Promise<string> {
    const { value } = await this.#lines.read();
    assert.ok(value !== undefined, "the burst ended early");
    return value;
  }
}

/** Sessions of every kind: the driver of programs/kinds.py. */
import { strict as assert } from "node:assert";
import { TextLineStream } from "../lines.ts";
import { PYTHON } from "../python.ts";

const PROGRAM = new URL("../programs/kinds.py", import.meta.url).pathname;

/** The process, which keeps some sessions open. */
export class Kinds implements AsyncDisposable {
  /** The peer's address of each client, and of no other session of this machine. */
  static readonly peer = "127.77.0.1";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #fullPort = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#lines = child.stdout.pipeThrough(new TextLineStream()).getReader();
  }

  /** @param count of each kind. @param under what stands in front of the command line */
  static async prepare(count: number, under: readonly string[]): Promise<Kinds> {
    const [command = "", ...args] = [...under, ...PYTHON, PROGRAM, `--count=${count}`];
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped" }).spawn();
    const kinds = new Kinds(child);
    kinds.#fullPort = Number(await kinds.#expect(/^ready (\d+)$/));
    return kinds;
  }

  /** Port of a listener with an open session that nobody accepts before `close()`. */
  get fullPort(): number {
    return this.#fullPort;
  }

  /** Makes all other sessions, and ends them. */
  async make(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("\n"));
    await this.#expect(/^made$/);
  }

  /** Closes the sessions that were open from the start. */
  async close(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("\n"));
    await this.#expect(/^closed$/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#child.status;
  }

  /** @returns what the pattern's parentheses matched */
  async #expect(line: RegExp): Promise<string | undefined> {
    const { value = "" } = await this.#lines.read();
    assert.match(value, line);
    return line.exec(value)?.[1];
  }
}

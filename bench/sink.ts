/** The receiver of spans, sink/: cheap, and not counted as the tracer's cost. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../test/compile.ts";
import { TextLineStream } from "../test/lines.ts";
import { OTHER_CPUS } from "./cpus.ts";

const SOURCES = fileURLToPath(new URL("sink/", import.meta.url));

/** What has arrived. */
export interface Received {
  readonly requests: number;
  /** Bytes of requests with their heads. */
  readonly bytes: number;
  readonly spans: number;
  /** Spans in the network namespace that is counted. */
  readonly matching: number;
  /** Distinct span ids among them. */
  readonly distinct: number;
  /** CPU time since the start. */
  readonly cpuSeconds: number;
}

/** A running receiver of OTLP over HTTP, protobuf. */
export class Sink implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #questions: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(
    child: Deno.ChildProcess,
    lines: ReadableStreamDefaultReader<string>,
    port: number,
  ) {
    this.#child = child;
    this.#lines = lines;
    this.#questions = child.stdin.getWriter();
    this.port = port;
  }

  /** Compiles it in `folder`, and waits until it listens on 127.0.0.1. */
  static async start(folder: string): Promise<Sink> {
    const program = join(folder, "sink");
    await compile(SOURCES, program);
    const child = new Deno.Command("taskset", {
      args: ["--cpu-list", OTHER_CPUS, program],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextLineStream()).getReader();
    const { port }: { port: number } = await nextObject(lines);
    return new Sink(child, lines, port);
  }

  /** Starts to count from 0, spans in a network namespace. */
  async reset(netns: number): Promise<void> {
    await this.#ask(`count ${netns}\n`);
  }

  /** What has arrived since the last reset. Takes a second for millions of spans. */
  async count(): Promise<Received> {
    return await this.#ask("count\n");
  }

  /** Refuses connections from now on, and ends all open ones, like a receiver that was stopped. */
  async close(): Promise<void> {
    await this.#ask("close\n");
  }

  /** Takes connections again, on the same port. */
  async open(): Promise<void> {
    await this.#ask("open\n");
  }

  /** Stops answering, so that its clients wait, until `goOn`. */
  standStill(): void {
    this.#child.kill("SIGSTOP");
  }

  goOn(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.goOn();
    await this.#questions.close();
    await this.#lines.cancel();
    await this.#child.status;
  }

  async #ask(question: string): Promise<Received> {
    await this.#questions.write(new TextEncoder().encode(question));
    return await nextObject(this.#lines);
  }
}

async function nextObject<T>(lines: ReadableStreamDefaultReader<string>): Promise<T> {
  const { value } = await lines.read();
  if (value === undefined) throw new Error("cannot ask the sink: it has ended");
  return JSON.parse(value);
}

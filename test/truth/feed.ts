/** The spans that a running tracer has written, by network namespace. */
import type { Output } from "../e2e/process.ts";
import type { JsonSpan } from "./judge.ts";

/** Reads the lines of the stdout exporter's format `json`. */
export class SpanFeed {
  readonly #output: Output;
  readonly #byNetns = new Map<unknown, JsonSpan[]>();
  #read = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** All spans of these namespaces so far. */
  of(netns: readonly number[]): JsonSpan[] {
    const { lines } = this.#output;
    for (; this.#read < lines.length; this.#read++) {
      const span: JsonSpan = JSON.parse(lines[this.#read]?.text ?? "{}");
      const key = span["tcpspan.netns"];
      const spans = this.#byNetns.get(key) ?? [];
      spans.push(span);
      this.#byNetns.set(key, spans);
    }
    return netns.flatMap((inode) => this.#byNetns.get(inode) ?? []);
  }
}

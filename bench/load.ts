/** The load generator, load/, in its own network namespace without other traffic. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "../test/compile.ts";
import { Process } from "../test/e2e/process.ts";
import { Namespace, run } from "../test/kernel/host.ts";

const CLIENT = "127.64.0.1"; // the address of all clients

const SOURCES = fileURLToPath(new URL("load/", import.meta.url));

/** Short sessions: connect, 64 bytes there and back, close. They end at the first limit. */
export interface ChurnOptions {
  /** Threads that connect, each to another thread. */
  readonly threads: number;
  readonly seconds?: number;
  readonly sessions?: number;
  /** Sessions a second, of all threads; as fast as possible by default. */
  readonly rate?: number;
  /** Whether to end sessions with RST rather than FIN. */
  readonly reset?: boolean;
  /** The only CPU for the load. */
  readonly cpu?: number;
}

/** The result. A session has two ends. */
export interface Churned {
  readonly sessions: number;
  /** Attempts without an answer. */
  readonly failed: number;
  readonly seconds: number;
}

/** In a config, selects the peers of loads and hardly any other: tests count every session. */
export const LOAD_ALONE = "include_cidrs: [127.0.0.0/8], exclude_cidrs: [127.0.0.0/16]";

/** Makes loads. Disposing ends all of them. */
export class Load implements AsyncDisposable {
  readonly #program: string;
  readonly #namespace: Namespace;

  private constructor(program: string, namespace: Namespace) {
    this.#program = program;
    this.#namespace = namespace;
  }

  /** Compiles the program, in `folder`. */
  static async prepare(folder: string): Promise<Load> {
    const program = join(folder, "load");
    await compile(SOURCES, program);
    const namespace = await Namespace.alone();
    await namespace.ip("link", "set", "lo", "up");
    const loopback = ["local", "127.0.0.0/8", "dev", "lo"];
    await namespace.ip("route", "replace", "table", "local", ...loopback, "src", CLIENT);
    await namespace.sysctl("ipv4.ip_local_port_range", "10000 65000");
    await namespace.sysctl("ipv4.tcp_max_tw_buckets", 4096); // the same for the first round as later
    return new Load(program, namespace);
  }

  /** Inode of the network namespace. */
  get netns(): number {
    return this.#namespace.inode;
  }

  /** Removes the network namespace at once, when nothing can be awaited. */
  abandon(): void {
    new Deno.Command("ip", { args: ["netns", "del", this.#namespace.name] }).outputSync();
  }

  async churn(options: ChurnOptions): Promise<Churned> {
    const { threads, seconds, sessions, rate, reset, cpu } = options;
    const limits = {
      threads,
      ...(seconds === undefined ? {} : { seconds }),
      ...(sessions === undefined ? {} : { sessions }),
      ...(rate === undefined ? {} : { rate }),
    };
    const flags = reset === true ? ["--rst"] : [];
    const inFront = cpu === undefined ? [] : ["taskset", "--cpu-list", `${cpu}`];
    return await this.#result("churn", limits, flags, inFront);
  }

  /** Transfers through one connection as fast as it goes. @returns bytes a second */
  async bulk(seconds: number): Promise<number> {
    const result: { bytes: number; seconds: number } = await this.#result("bulk", { seconds });
    return result.bytes / result.seconds;
  }

  /** Opens sockets, and keeps them until it is disposed of. @param messages of a byte, a second */
  async hold(sockets: number, messages: number): Promise<AsyncDisposable> {
    const [program = "", ...args] = this.#namespace.under;
    const options = ["--sockets", `${sockets}`, "--messages", `${messages}`];
    const process = new Process([program, ...args, this.#program, "steady", ...options]);
    await process.stdout.waitForLines(1, (line) => line.startsWith("{"));
    return process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespace.remove();
  }

  /** Runs a part of the program to its end. */
  async #result<T>(
    part: string,
    options: Readonly<Record<string, number>>,
    flags: readonly string[] = [],
    inFront: readonly string[] = [],
  ): Promise<T> {
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const [program = "", ...args] = [...this.#namespace.under, ...inFront, this.#program, part];
    const printed = await run(program, ...args, ...words, ...flags);
    return JSON.parse(printed);
  }
}

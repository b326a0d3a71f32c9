/** Runs an OpenTelemetry Collector, or Jaeger, which contains one. */
import { TextLineStream } from "../lines.ts";
import { setTimeout as sleep } from "node:timers/promises";

const READY = "Everything is ready. Begin running and processing data.";
const START_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 20;
const LOG_LINES_SHOWN = 30;

/** One line of the server's log: a message and its fields. */
export type LogEntry = Readonly<Record<string, unknown>>;

/** A running server, and what it has logged so far. */
export class Server implements AsyncDisposable {
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #log: string[] = [];
  readonly #ended: Promise<unknown>;
  #running = true;

  private constructor(name: string, program: string, config: object) {
    this.#name = name;
    this.#process = new Deno.Command(program, {
      args: ["--config", `yaml:${JSON.stringify(config)}`], // JSON is YAML
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#ended = Promise.all([this.#readLog(), this.#waitForEnd()]);
  }

  /**
   * Starts `program` and waits until it is ready. `config` is what the YAML file would hold; it
   * lets everything listen on port 0 of 127.0.0.1, so that two runs on one machine never collide.
   */
  static async start(name: string, program: string, config: object): Promise<Server> {
    const server = new Server(name, program, {
      ...config,
      service: {
        ...("service" in config ? config.service as object : {}),
        telemetry: { metrics: { level: "none" }, logs: { encoding: "json" } },
      },
    });
    try {
      await server.until("say that it is ready", () => server.#isReady(), START_TIMEOUT_MS);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What was logged so far, without lines that are not JSON (such as a panic). */
  logEntries(): LogEntry[] {
    return this.#log.filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as LogEntry);
  }

  /** The address, `127.0.0.1:4318`, in the log entry that has all of `fields`. */
  loggedAddress(fields: LogEntry, key: string): string {
    const entry = this.logEntries()
      .find((entry) => Object.entries(fields).every(([name, value]) => entry[name] === value));
    const address = entry?.[key];
    if (typeof address === "string") return address;
    throw new Error(`${this.#name} logged no ${key} with ${JSON.stringify(fields)}${this.#tail()}`);
  }

  /**
   * Asks `condition` repeatedly until it holds; its last value is the result. An error says
   * what was waited for, and shows the end of the server's log.
   * @param what completes "jaeger did not …"
   */
  async until<T>(
    what: string,
    condition: () => T | undefined | false | Promise<T | undefined | false>,
    timeoutMs = 10_000,
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    do {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      await sleep(POLL_INTERVAL_MS);
    } while (this.#running && performance.now() < deadline);
    const why = this.#running ? `within ${timeoutMs} ms` : "before it ended";
    throw new Error(`${this.#name} did not ${what} ${why}${this.#tail()}`);
  }

  /** Kills the server: a clean end would wait for idle connections, and nothing needs it. */
  async stop(): Promise<void> {
    if (this.#running) this.#process.kill("SIGKILL");
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #isReady(): boolean {
    return this.#log.some((line) => line.includes(READY));
  }

  async #readLog(): Promise<void> {
    for await (const line of this.#process.stderr.pipeThrough(new TextLineStream())) {
      this.#log.push(line);
    }
  }

  async #waitForEnd(): Promise<void> {
    await this.#process.status;
    this.#running = false;
  }

  #tail(): string {
    return `; the end of its log:\n${this.#log.slice(-LOG_LINES_SHOWN).join("\n")}`;
  }
}

/** The TCP ports of 127.0.0.1 that a process listens on. */
export function listeningPorts(pid: number): number[] {
  const inodes = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${name}`)) ?? [];
    if (inode !== undefined) inodes.add(inode);
  }
  const ports: number[] = [];
  for (const line of Deno.readTextFileSync(`/proc/${pid}/net/tcp`).split("\n").slice(1)) {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const LISTEN = "0A";
    if (state === LISTEN && inodes.has(inode)) ports.push(parseInt(local.slice(-4), 16));
  }
  return ports;
}

/** Where a symbolic link leads; nowhere if it has just gone. */
function link(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

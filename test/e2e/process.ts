/** Programs that a test runs, with what they wrote and when. */

/** One line that a program wrote. */
export interface Line {
  /** Without its line end. */
  readonly text: string;
  /** When it was read: milliseconds since the epoch. */
  readonly at: number;
}

/** A program that has ended. */
export interface Ended {
  readonly status: number;
  /** All of it, with line ends. */
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is started. */
export interface ProcessOptions {
  /** The whole environment; without it, that of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `piped` for `write`; no input, by default. */
  readonly stdin?: "piped";
}

/** No test waits longer for anything. */
const PATIENCE_MS = 15_000;

/** A running program. Disposing kills it if it still runs. */
export class Process implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<number>;
  #running = true;

  /** Starts `command`, which must be installed: a test that needs it fails without it. */
  constructor(command: readonly [string, ...string[]], options: ProcessOptions = {}) {
    const [program, ...args] = command;
    this.name = program.replace(/.*\//, "");
    this.#child = spawn(program, args, options);
    this.pid = this.#child.pid;
    this.stdout = new Output(`${this.name} on stdout`, this.#child.stdout);
    this.stderr = new Output(`${this.name} on stderr`, this.#child.stderr);
    this.#ended = this.#waitForEnd();
  }

  /** Waits until it has ended by itself. */
  async end(timeoutMs = PATIENCE_MS): Promise<Ended> {
    const status = await within(timeoutMs, this.#ended, () => `${this.name} did not end`)
      .catch(async (error: unknown) => {
        await this[Symbol.asyncDispose]();
        throw new Error(`${error instanceof Error ? error.message : error}${this.#written()}`);
      });
    return { status, stdout: this.stdout.text, stderr: this.stderr.text };
  }

  /** Sends a signal, and waits for the end. */
  async stop(signal: Deno.Signal): Promise<Ended> {
    if (this.#running) this.#child.kill(signal);
    return await this.end();
  }

  /** Writes to its stdin, which must be `piped`. */
  async write(text: string): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    writer.releaseLock();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running) this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** @returns its status; after a signal 128 plus the signal's number, as in shells */
  async #waitForEnd(): Promise<number> {
    const { code } = await this.#child.status;
    this.#running = false;
    await Promise.all([this.stdout.closed, this.stderr.closed]);
    return code;
  }

  #written(): string {
    return `; it wrote:\n${this.stdout.text}${this.stderr.text}`;
  }
}

/** What a program writes to one of its descriptors, line by line. */
export class Output {
  readonly lines: Line[] = [];
  /** Resolves when the program has closed it, or the test has. */
  readonly closed: Promise<void>;
  readonly #what: string;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #text = "";
  #open = true;
  #changed = Promise.withResolvers<void>();

  constructor(what: string, stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#what = what;
    this.#reader = stream.getReader();
    this.closed = this.#read();
  }

  /** All that was written. */
  get text(): string {
    return this.#text;
  }

  /** The lines that match `choose`, as soon as there are `count` or more. */
  async waitForLines(
    count: number,
    choose: (text: string) => boolean,
    timeoutMs = PATIENCE_MS,
  ): Promise<Line[]> {
    const deadline = performance.now() + timeoutMs;
    const chosen: Line[] = [];
    for (let looked = 0;;) {
      const more = this.lines.slice(looked);
      looked += more.length;
      chosen.push(...more.filter(({ text }) => choose(text)));
      if (chosen.length >= count) return chosen;
      const why = () =>
        `found ${chosen.length} lines of ${this.#what}, not ${count}; all of it:\n${this.#text}`;
      if (!this.#open) throw new Error(why());
      await within(deadline - performance.now(), this.#changed.promise, why);
    }
  }

  /** Closes the reading end, like a reader that goes away. */
  async close(): Promise<void> {
    await this.#reader.cancel();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { value, done } = await this.#reader.read();
      const at = Date.now();
      const text = decoder.decode(value, { stream: !done });
      this.#text += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines.map((text) => ({ text, at })));
      this.#open = !done;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
      if (done) return;
    }
  }
}

/** What the descriptors of process `pid` lead to: paths, sockets, pipes. */
export function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return Array.from(Deno.readDirSync(folder)).flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`${folder}/${name}`)];
    } catch {
      return []; // closed by now
    }
  });
}

/** Asks repeatedly until the answer is neither undefined nor false. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`${what} did not happen in ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function within<T>(ms: number, work: Promise<T>, what: () => string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what()}, in time`)), Math.max(ms, 0));
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function spawn(program: string, args: string[], options: ProcessOptions) {
  try {
    return new Deno.Command(program, {
      args,
      stdin: options.stdin ?? "null",
      stdout: "piped",
      stderr: "piped",
      ...(options.env === undefined ? {} : { env: options.env, clearEnv: true }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`cannot find ${program}: run ./setup.sh --dev`);
  }
}

/** Other processes with sockets: busybox's nc, whose comm is `nc` and whose executable is busybox. */
const LISTEN = "0A"; // TCP_LISTEN as /proc/net/tcp has it
const LOOK_MS = 20;

/** A process; disposing ends it. */
export class Netcat implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(args: readonly string[]) {
    this.#child = new Deno.Command("nc", {
      args: [...args],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
  }

  /** Connects to a port of 127.0.0.1. */
  static connect(port: number): Netcat {
    return new Netcat(["127.0.0.1", `${port}`]);
  }

  /**
   * Accepts a session; resolves once it listens.
   * @param program run in its own process for each session, with the socket as its input and
   * output; without it there is one session, which nc itself has
   */
  static async listen(port: number, program?: string): Promise<Netcat> {
    const netcat = new Netcat([
      ...(program === undefined ? ["-l"] : ["-ll"]),
      ...["-p", `${port}`],
      ...(program === undefined ? [] : ["-e", program]),
    ]);
    let ended = false;
    netcat.#child.status.then(() => ended = true);
    while (!await listens(port)) {
      if (ended) throw new Error(`cannot listen on port ${port}: nc ended`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return netcat;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Sends `bytes` bytes. */
  async send(bytes: number): Promise<void> {
    await this.#input.write(new Uint8Array(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // an ended one has none
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await this.#child.status;
  }
}

/** A free port of 127.0.0.1: nobody else is in the guest. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function listens(port: number): Promise<boolean> {
  const address = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  for (const table of ["tcp", "tcp6"]) { // nc listens on both if there is IPv6
    const text = await Deno.readTextFile(`/proc/net/${table}`).catch(() => "");
    const sockets = text.split("\n");
    if (sockets.some((line) => line.includes(address) && line.includes(` ${LISTEN} `))) return true;
  }
  return false;
}

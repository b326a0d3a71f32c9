/** What stands for a host: its own network, processes and name, on the one kernel there is. */
import { run } from "../kernel/host.ts";
import { only } from "./choose.ts";
import { Process } from "./process.ts";
import { REPOSITORY } from "./tcpspan.ts";

/** Longer than any test; what a killed test leaves behind is gone by then. */
const LIFE_S = 120;

/**
 * Prints its name when it is ready. It ends if the `unshare` in front of it is killed. IPv6
 * addresses work at once, without a second's search for duplicates.
 */
const FIRST_PROCESS = `
  set -e
  hostname "$0"
  ip link set lo up
  echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
  hostname
  exec sleep "$1"
`;

/**
 * A machine: a network namespace, a pid namespace with its own /proc, and a namespace of host
 * names. A tcpspan in it sees the sockets of the whole kernel, as all tracers do, but knows the
 * only the addresses and processes of this machine: its filter does the rest. Disposing ends all
 * its processes and removes its network.
 */
export class Machine implements AsyncDisposable {
  readonly #process: Process;
  /** Its first process, as this test's own namespace counts it. */
  readonly pid: number;

  private constructor(readonly name: string, process: Process, pid: number) {
    this.#process = process;
    this.pid = pid;
  }

  /** @param name its host name */
  static async start(name: string): Promise<Machine> {
    const process = new Process([
      ...["unshare", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"] as const,
      ...["sh", "-c", FIRST_PROCESS, name, `${LIFE_S}`],
    ]);
    try {
      await process.stdout.waitForLines(1, (line) => line === name);
      const file = `/proc/${process.pid}/task/${process.pid}/children`;
      const pid = Number(only((await Deno.readTextFile(file)).trim().split(" ")));
      return new Machine(name, process, pid);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The words in front of a command to run it on the machine, in the repository's folder. */
  get inside(): [string, ...string[]] {
    return this.#enter("--net", "--pid", "--mount", "--uts");
  }

  /**
   * The words in front of a tracer to run it there. It has the test's own network, to send spans
   * over, as hosts may have one for management: what it sees of sessions is the same in each.
   */
  get besideNetwork(): [string, ...string[]] {
    return this.#enter("--pid", "--mount", "--uts");
  }

  /** Runs a command on it. @returns what it wrote to stdout */
  async run(...command: readonly string[]): Promise<string> {
    const [nsenter, ...args] = this.inside;
    return await run(nsenter, ...args, ...command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  #enter(...namespaces: readonly string[]): [string, ...string[]] {
    return [
      ...["nsenter", `--target=${this.pid}`, ...namespaces] as const,
      ...["env", `--chdir=${REPOSITORY}`],
      ...["setpriv", "--pdeathsig=KILL"], // nsenter stays in front, and passes no signal on
    ];
  }
}

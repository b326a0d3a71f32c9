/** Parts of the host made for one test, and taken away after it. */
import { strict as assert } from "node:assert";

/** Runs a command. @returns what it wrote to stdout */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  const text = new TextDecoder();
  assert.ok(success, `${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** A new cgroup v2, below the root. */
export class Cgroup implements Disposable {
  readonly path: string;

  /** @param suffix of the folder's name */
  constructor(suffix = "") {
    const mount = Deno.readTextFileSync("/proc/mounts").split("\n").map((line) => line.split(" "))
      .find(([, , type]) => type === "cgroup2")?.[1];
    assert.ok(mount !== undefined, "no cgroup v2 is mounted");
    this.path = `${mount}/${uniqueName()}${suffix}`;
    Deno.mkdirSync(this.path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** A network namespace, joined to this one by a pair of interfaces. */
export class Namespace implements AsyncDisposable {
  readonly name = uniqueName();
  // addresses of the benchmark network (RFC 2544), so that two runs can share a machine
  readonly #network = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
  /** Addresses on this side. */
  readonly here = { ipv4: `198.18.${this.#network}.1`, ipv6: `fd74:6370:${this.#network}::1` };
  /** Addresses on the namespace's side. */
  readonly there = { ipv4: `198.18.${this.#network}.2`, ipv6: `fd74:6370:${this.#network}::2` };

  private constructor() {}

  static async make(): Promise<Namespace> {
    await using stack = new AsyncDisposableStack();
    const namespace = new Namespace();
    const { name, here, there } = namespace;
    await run("ip", "netns", "add", name);
    stack.use(namespace);
    await run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
    await configure([], name, here);
    await configure(["-n", name], "eth0", there);
    stack.move();
    return namespace;
  }

  /** Words in front of a command that is to run in it. */
  get under(): string[] {
    // not `ip netns exec`, which hides the cgroups behind another /sys
    return ["nsenter", `--net=/run/netns/${this.name}`];
  }

  /** Hands packets of its loopback interface to all CPUs, as a network card with queues does. */
  async steerLoopback(): Promise<void> {
    const file = "/sys/class/net/lo/queues/rx-0/rps_cpus"; // of a /sys of its own
    const mask = ((1 << Math.min(navigator.hardwareConcurrency, 30)) - 1).toString(16);
    const command = `ip link set lo up && echo ${mask} > ${file}`;
    await run("ip", "netns", "exec", this.name, "sh", "-c", command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("ip", "netns", "del", this.name); // takes the interfaces with it
  }
}

async function configure(
  where: readonly string[],
  device: string,
  addresses: Namespace["here"],
): Promise<void> {
  await run("ip", ...where, "address", "add", `${addresses.ipv4}/30`, "dev", device);
  // without duplicate detection, which would take a second
  await run("ip", ...where, "address", "add", `${addresses.ipv6}/64`, "dev", device, "nodad");
  await run("ip", ...where, "link", "set", device, "up");
}

/** Of 15 characters at most, as names of interfaces are. */
function uniqueName(): string {
  return `tcpspan${crypto.randomUUID().slice(0, 8)}`;
}

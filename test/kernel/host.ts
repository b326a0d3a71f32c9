/** Parts of a host that are made for one test, and removed after it. */
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

/** What a namespace is connected to, and its addresses. */
export interface NamespaceOptions {
  /** The namespace of the pair's other interface; that of the tests by default. */
  readonly joinedTo?: Namespace;
  /** Number of the network between the two, below 16384; picked at random by default. */
  readonly network?: number;
}

/** A network namespace, connected to another one by a pair of interfaces. */
export class Namespace implements AsyncDisposable {
  readonly name = uniqueName();
  /** Addresses on the other namespace's side, which is usually the test's. */
  readonly here: Addresses;
  /** Addresses on the namespace's side. */
  readonly there: Addresses;
  #exists = false;

  private constructor(network: number) {
    this.here = addressesOf(network, 1);
    this.there = addressesOf(network, 2);
  }

  /** One with only a loopback interface. */
  static async alone(): Promise<Namespace> {
    const namespace = new Namespace(0);
    await namespace.#add();
    return namespace;
  }

  static async make({ joinedTo, network }: NamespaceOptions = {}): Promise<Namespace> {
    await using stack = new AsyncDisposableStack();
    const namespace = stack.use(new Namespace(network ?? randomNetwork()));
    const { name, here, there } = namespace;
    await namespace.#add();
    const device = joinedTo === undefined ? name : "eth0";
    await ip(joinedTo, [
      `link add ${device} type veth peer name eth0 netns ${name}`,
      ...configuration(device, here),
    ]);
    await ip(namespace, configuration("eth0", there));
    stack.move();
    return namespace;
  }

  /** What stands in front of a command, to run it in the namespace. */
  get under(): string[] {
    // not `ip netns exec`, which hides the cgroups behind another /sys
    return ["nsenter", `--net=/run/netns/${this.name}`];
  }

  /** Its inode, which is its number in records. */
  get inode(): number {
    const { ino } = Deno.statSync(`/run/netns/${this.name}`);
    assert.ok(ino !== null);
    return ino;
  }

  /** Runs a command in it. @returns what it wrote to stdout */
  run(...command: readonly string[]): Promise<string> {
    const [program = "true", ...args] = [...this.under, ...command];
    return run(program, ...args);
  }

  /** Runs ip(8) on it. @returns what it wrote to stdout */
  ip(...args: readonly string[]): Promise<string> {
    return run("ip", "-n", this.name, ...args);
  }

  /** Runs several commands of ip(8) on it. */
  async configure(...commands: readonly string[]): Promise<void> {
    await ip(this, commands);
  }

  /** Sets a sysctl below `net`, such as `ipv4.tcp_orphan_retries`. */
  async sysctl(key: string, value: string | number): Promise<void> {
    await this.run("sysctl", "-qw", `net.${key}=${value}`);
  }

  /** Spreads packets of its loopback interface over all CPUs, like a network card with queues. */
  async steerLoopback(): Promise<void> {
    const file = "/sys/class/net/lo/queues/rx-0/rps_cpus"; // in its own /sys
    const mask = ((1 << Math.min(navigator.hardwareConcurrency, 30)) - 1).toString(16);
    const command = `ip link set lo up && echo ${mask} > ${file}`;
    await run("ip", "netns", "exec", this.name, "sh", "-c", command);
  }

  /** Removes its name; it is gone when nothing uses it any more. */
  async remove(): Promise<void> {
    if (!this.#exists) return;
    this.#exists = false;
    await run("ip", "netns", "del", this.name); // removes the interfaces too
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }

  async #add(): Promise<void> {
    await run("ip", "netns", "add", this.name);
    this.#exists = true;
  }
}

/** The addresses of one interface. */
export interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Addresses from the benchmark network (RFC 2544), so that two runs can share a machine. */
function addressesOf(network: number, host: number): Addresses {
  return {
    ipv4: `198.18.${network >> 6}.${((network & 63) << 2) + host}`,
    ipv6: `fd74:6370:${network.toString(16)}::${host}`,
  };
}

function randomNetwork(): number {
  return (crypto.getRandomValues(new Uint16Array(1))[0] ?? 0) & 0x3fff;
}

function configuration(device: string, { ipv4, ipv6 }: Addresses): string[] {
  return [
    `address add ${ipv4}/30 dev ${device}`,
    `address add ${ipv6}/64 dev ${device} nodad`, // duplicate detection would take a second
    `link set ${device} up`,
  ];
}

/** Runs commands of ip(8) in one process. @param where the tests' own namespace by default */
async function ip(where: Namespace | undefined, commands: readonly string[]): Promise<void> {
  const args = [...(where === undefined ? [] : ["-n", where.name]), "-batch", "-"];
  const child = new Deno.Command("ip", { args, stdin: "piped", stdout: "null", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(commands.join("\n")));
  await writer.close();
  const { success, stderr } = await child.output();
  assert.ok(success, `ip ${args.join(" ")}: ${commands}: ${new TextDecoder().decode(stderr)}`);
}

/** Of at most 15 characters, like names of interfaces. */
function uniqueName(): string {
  return `tcpspan${crypto.randomUUID().slice(0, 8)}`;
}

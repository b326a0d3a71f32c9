/** What is true of this machine, read as simply as possible. */
import { bootTimeNs } from "../../ffi/clock.ts";

/** What every span says about its host, and what is needed to judge it. */
export interface HostTruth {
  readonly name: string;
  readonly id: string | undefined;
  /** Ports that the kernel gives to clients, in the tracer's namespace. */
  readonly ephemeral: readonly [low: number, high: number];
  /** Names of users by number. */
  readonly users: ReadonlyMap<number, string>;
  /** The systemd service and the container that the tests, and so their processes, run in. */
  readonly service: string | undefined;
  readonly container: string | undefined;
  /** When the boot clock was 0, to within some microseconds. */
  readonly bootUnixNs: bigint;
}

/** Reads it. */
export function readHost(): HostTruth {
  const [low = 0, high = 0] = read("/proc/sys/net/ipv4/ip_local_port_range").split(/\s+/)
    .map(Number);
  const cgroup = read("/proc/self/cgroup");
  return {
    name: Deno.hostname(),
    id: /^[0-9a-f]{32}$/m.exec(read("/etc/machine-id") || read("/var/lib/dbus/machine-id"))?.[0],
    ephemeral: [low, high],
    users: new Map(
      read("/etc/passwd").split("\n").map((line) => line.split(":"))
        .map(([user = "", , id]) => [Number(id), user]),
    ),
    service: /^0::\/system\.slice\/([^/]+)\.service/m.exec(cgroup)?.[1],
    container: /[/:-]([\da-f]{64})(?:\.scope)?(?:\/|$)/m.exec(cgroup)?.[1],
    bootUnixNs: bootUnixNs(),
  };
}

/** The best of some readings; each can only be too early, by the part of a millisecond. */
function bootUnixNs(): bigint {
  let best = 0n;
  for (let i = 0; i < 10; i++) {
    const begun = Date.now();
    let now = begun;
    while (now === begun) now = Date.now();
    const boot = BigInt(now) * 1_000_000n - bootTimeNs();
    if (boot > best) best = boot;
  }
  return best;
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

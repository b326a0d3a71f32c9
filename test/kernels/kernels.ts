/** The kernels that are booted, and how each of them is. */
import type { Need } from "./guest/check.ts";
import type { Host } from "./guest/result.ts";

/** Debian's name of a kind of machine. */
export type Architecture = "amd64" | "arm64";

/** Something that differs from how Debian's kernel starts by itself. */
export interface Variant {
  readonly name: string;
  /** Words of the kernel's command line; those in capitals are for guest/init.sh. */
  readonly parameters: readonly string[];
  /** What a guest lacks then. */
  readonly lacks?: Need;
  /** What a guest has to tell of itself. */
  readonly host?: Partial<Host>;
}

/** One start of a kernel. */
export interface Boot {
  /** The first numbers of its version, such as `6.1`. */
  readonly series: string;
  /** Debian's suite that has it; or the path of a kernel of one's own. */
  readonly suite: string;
  readonly isFile?: true;
  readonly architecture: Architecture;
  readonly variant?: Variant;
  /** Where tcpspan must not start: what it has to say. */
  readonly refusal?: RegExp;
}

const JIT_OFF: Variant = { name: "JIT off", parameters: ["JIT=0"], host: { jit: "0" } };
const NO_CGROUP: Variant = { name: "no cgroup v2", parameters: ["CGROUP=0"], lacks: "cgroup v2" };
const INTEGRITY: Variant = {
  name: "lockdown=integrity",
  parameters: ["lockdown=integrity"],
  host: { lockdown: "integrity" },
};
const CONFIDENTIALITY: Variant = {
  name: "lockdown=confidentiality",
  parameters: ["lockdown=confidentiality"],
  host: { lockdown: "confidentiality" },
};
const NO_IPV6: Variant = { name: "ipv6.disable=1", parameters: ["ipv6.disable=1"], lacks: "IPv6" };
const ONE_CPU: Variant = { name: "one CPU", parameters: ["nr_cpus=1"], host: { cpus: 1 } };

/** What a guest is like where its variant says nothing else. */
export const USUAL: Host = { jit: "1", lockdown: "none", cpus: 2 };

const ON_5_10 = { series: "5.10", suite: "bullseye-security", architecture: "amd64" } as const;
const ON_6_1 = { series: "6.1", suite: "bookworm-security", architecture: "amd64" } as const;
const ON_6_12 = { series: "6.12", suite: "trixie-security", architecture: "amd64" } as const;
const BACKPORTS = { suite: "trixie-backports", architecture: "amd64" } as const;

/** All of them, the oldest first. */
export const BOOTS: readonly Boot[] = [
  { ...ON_5_10, refusal: /Linux 5\.10\.\S+ is too old/ },
  ON_6_1,
  { ...ON_6_1, architecture: "arm64" },
  { ...ON_6_1, variant: JIT_OFF },
  { ...ON_6_1, variant: NO_CGROUP },
  { ...ON_6_1, variant: NO_IPV6 },
  { ...ON_6_1, variant: ONE_CPU },
  { ...ON_6_1, variant: INTEGRITY },
  { ...ON_6_1, variant: CONFIDENTIALITY, refusal: /lockdown/ },
  ON_6_12,
  { ...ON_6_12, architecture: "arm64" },
  { ...ON_6_12, variant: JIT_OFF },
  { ...BACKPORTS, series: "6.16" },
  { ...BACKPORTS, series: "6.17" },
  { ...BACKPORTS, series: "6.18" },
  { ...BACKPORTS, series: "6.19" },
  { ...BACKPORTS, series: "7.0" },
  { ...BACKPORTS, series: "7.1" },
  { ...BACKPORTS, series: "7.2" },
  { ...BACKPORTS, series: "7.3" },
];

/** A kernel of one's own, for this machine's architecture; it tells its series itself. */
export function ownKernel(path: string): Boot {
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  return { series: "own", suite: path, isFile: true, architecture };
}

/** A boot in few words, for messages. */
export function nameOf({ series, architecture, variant }: Boot): string {
  const name = architecture === "amd64" ? series : `${series} ${architecture}`;
  return variant === undefined ? name : `${name} ${variant.name}`;
}

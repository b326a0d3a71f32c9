/** The kernels that are booted, and how each of them differs. */
import type { Need } from "./guest/check.ts";
import type { Host } from "./guest/result.ts";

/** Debian's name of a kind of machine. */
export type Architecture = "amd64" | "arm64";

/** A difference from the normal start of Debian's kernel. */
export interface Variant {
  readonly name: string;
  /** Words of the kernel's command line; those in capitals are for guest/init.sh. */
  readonly parameters: readonly string[];
  /** What a guest lacks then. */
  readonly lacks?: Need;
  /** What a guest must report about itself. */
  readonly host?: Partial<Host>;
}

/** One start of a kernel. */
export interface Boot {
  /** The first numbers of its version, such as `6.1`. */
  readonly series: string;
  /** Debian's suite that has it; or the path of your own kernel. */
  readonly suite: string;
  readonly isFile?: true;
  readonly architecture: Architecture;
  readonly variant?: Variant;
  /** If tcpspan must not start: what it must say. */
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

/** What a guest is like unless its variant says otherwise. */
export const USUAL: Host = { jit: "1", lockdown: "none", cpus: 2 };

const ON_5_10 = { series: "5.10", suite: "bullseye-security", architecture: "amd64" } as const;
const ON_6_1 = { series: "6.1", suite: "bookworm-security", architecture: "amd64" } as const;
const ON_6_12 = { series: "6.12", suite: "trixie-security", architecture: "amd64" } as const;
const BACKPORTS = { suite: "trixie-backports", architecture: "amd64" } as const;

/** All boots, the oldest first. */
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

/** Your own kernel, for this machine's architecture; the guest reports its series. */
export function ownKernel(path: string): Boot {
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  return { series: "own", suite: path, isFile: true, architecture };
}

/** A short name of a boot, for messages. */
export function nameOf({ series, architecture, variant }: Boot): string {
  const name = architecture === "amd64" ? series : `${series} ${architecture}`;
  return variant === undefined ? name : `${name} ${variant.name}`;
}

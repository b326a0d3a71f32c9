/** One boot, from the kernel's start to its result. */
import { isDeepStrictEqual } from "node:util";
import { CACHE, run } from "./cache.ts";
import { type Host, type Refusal, type Result, resultIn } from "./guest/result.ts";
import { type Architecture, type Boot, nameOf, USUAL } from "./kernels.ts";
import { type Package, Suite } from "./packages.ts";
import { boot as start } from "./qemu.ts";

const TIMEOUT_MS = 15 * 60_000;

/** A part that kernels before 6.3 do not have. */
const LATER = { part: /\(Linux 6\.3\)$/, reason: "this kernel does not have it", since: 6.03 };

/** What a guest reported, and whether that is right. */
export interface Outcome {
  /** With the series that the kernel reports, if it is your own. */
  readonly boot: Boot;
  /** The version of the kernel's package; for your own kernel its release. */
  readonly version: string;
  readonly results: readonly Result[];
  /** Empty if all is right. */
  readonly faults: readonly string[];
  readonly seconds: number;
  /** Such as 2026-11-30. */
  readonly date: string;
  /** The path of a file with everything that the guest wrote. */
  readonly log: string;
}

/**
 * Boots a kernel, and judges what the guest reports.
 * @param image for the boot's architecture
 * @param stop ends the guest early
 * @throws {Error} if the kernel cannot be had, or qemu does not start
 */
export async function play(
  boot: Boot,
  image: string,
  stop?: AbortSignal,
): Promise<Outcome> {
  const { path: kernel, version } = await kernelOf(boot);
  const log = `${CACHE}/log/${nameOf(boot).replaceAll(/[^\w.]+/g, "-")}.log`;
  await Deno.mkdir(`${CACHE}/log`, { recursive: true });
  using file = await Deno.create(log);
  const began = performance.now();
  const lines: string[] = [];
  const results: Result[] = [];
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = stop === undefined ? timeout : AbortSignal.any([timeout, stop]);
  const guest = start({
    architecture: boot.architecture,
    kernel,
    image,
    parameters: boot.variant?.parameters ?? [],
    signal,
  });
  for await (const line of guest) {
    lines.push(line);
    file.writeSync(new TextEncoder().encode(`${line}\n`));
    const result = resultIn(line);
    if (result === undefined) continue;
    results.push(result);
    if (result.kind === "end") break;
  }
  stop?.throwIfAborted();
  const seconds = Math.round((performance.now() - began) / 1000);
  const release = results.find((result) => result.kind === "host")?.release;
  const booted = boot.isFile ? { ...boot, series: seriesOf(release) } : boot;
  const faults = faultsOf(booted, results, lines);
  if (timeout.aborted) faults.push(`it did not end within ${TIMEOUT_MS / 60_000} minutes`);
  const date = new Date().toISOString().slice(0, 10);
  return { boot: booted, version: version ?? release ?? "", results, faults, seconds, date, log };
}

/** `5.15` of `5.15.100`. */
function seriesOf(release = ""): string {
  return /^\d+\.\d+/.exec(release)?.[0] ?? "own";
}

/** Your own kernel, or the newest of the boot's series. */
async function kernelOf(
  { series, suite: name, isFile, architecture }: Boot,
): Promise<{ path: string; version?: string }> {
  if (isFile) return { path: name };
  const suite = await Suite.open(name, architecture);
  const kernel = await newest(suite, series, architecture);
  const folder = await suite.unpack(kernel, "*/vmlinuz*");
  const path = (await run("find", [folder, "-name", "vmlinuz*", "-type", "f"])).trim();
  return { path, version: kernel.version };
}

/** Debian's small kernel for virtual machines: in linux-image-* up to 6.18, then in linux-binary-*. */
async function newest(suite: Suite, series: string, architecture: Architecture): Promise<Package> {
  const [major = 0, minor = 0] = series.split(".").map(Number);
  const kind = major > 6 || major === 6 && minor >= 19 ? "binary" : "image";
  const prefix = `linux-${kind}-${series}.`;
  const name = new RegExp(`^${RegExp.escape(prefix)}[\\w.+-]*-cloud-${architecture}$`);
  return await suite.newest(prefix, name);
}

function faultsOf(
  { series, refusal, variant }: Boot,
  results: readonly Result[],
  lines: readonly string[],
): string[] {
  const faults = results.flatMap((result) => {
    switch (result.kind) {
      case "host":
        return hostFaults(result.host, { ...USUAL, ...variant?.host });
      case "check":
        if (result.lacks !== undefined && result.lacks !== variant?.lacks) {
          return [`${result.name}: not tried without ${result.lacks}`];
        }
        return result.fault === undefined ? [] : [`${result.name}: ${result.fault}`];
      case "omission":
        return isLater(series, result) ? [] : [`without ${result.part}: ${result.reason}`];
      case "warning":
        return [`the kernel warns: ${result.text}`];
      case "refusal":
        return refusal === undefined
          ? [`it refuses: ${result.ofCapture}`]
          : refusalFaults(result, refusal);
      default:
        return [];
    }
  });
  const refused = results.some(({ kind }) => kind === "refusal");
  const planned = results.find((result) => result.kind === "host")?.checks ?? NaN;
  const done = results.filter(({ kind }) => kind === "check").length;
  if (!refused && done !== planned) faults.push(`${done} of ${planned} checks were tried`);
  if (refusal !== undefined && !refused) faults.push(`it must refuse with ${refusal.source}`);
  const panic = lines.find((line) => line.includes("Kernel panic"));
  if (panic !== undefined) faults.push(panic.trim());
  else if (results.at(-1)?.kind !== "end") faults.push("the guest ended before its checks did");
  return faults;
}

function hostFaults(host: Host, expected: Host): string[] {
  return isDeepStrictEqual(host, expected)
    ? []
    : [`the guest is ${JSON.stringify(host)}, not ${JSON.stringify(expected)}`];
}

/** Whether a kernel of `series` is too old for a part. */
function isLater(series: string, { part, reason }: { part: string; reason: string }): boolean {
  const [major = 0, minor = 0] = series.split(".").map(Number);
  return major + minor / 100 < LATER.since && LATER.part.test(part) && reason === LATER.reason;
}

/** The run and doctor must say why; neither may end with status 0. */
function refusalFaults(
  { ofCapture, ofCommand, ofDoctor }: Refusal,
  expected: RegExp,
): string[] {
  const faults = [];
  if (!expected.test(ofCapture)) faults.push(`capture() refuses otherwise: ${ofCapture}`);
  for (const [name, { code, text }] of Object.entries({ command: ofCommand, doctor: ofDoctor })) {
    if (code === 0 || !expected.test(text)) {
      faults.push(`the ${name} ends with status ${code} and says: ${text}`);
    }
  }
  return faults;
}

/** Runs in a guest: runs all checks, and writes the results to the serial line. */
import { capture } from "../../../mod.ts";
import { messageOf } from "../../../src/messages/errors.ts";
import { type Check, lacking } from "./check.ts";
import { COMMAND_CHECKS, tcpspan } from "./command_checks.ts";
import { KernelLog } from "./kernel_log.ts";
import { OPTIONS_CHECKS } from "./options_checks.ts";
import { REPORTS_CHECKS } from "./reports_checks.ts";
import { type Host, lineOf, type Result } from "./result.ts";
import { checkSteeredLoopback } from "./rps_check.ts";
import { SESSIONS_CHECKS } from "./sessions_checks.ts";
import { refusedParts } from "./trace.ts";

const TIMEOUT_MS = 3 * 60_000; // on a busy machine

const log = new KernelLog();

function tell(result: Result): void {
  console.log(lineOf(result));
}

/** Why tcpspan cannot trace here; undefined if it can. */
async function refusal(): Promise<string | undefined> {
  try {
    await (await capture({}))[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

async function play(check: Check): Promise<void> {
  const lacks = await lacking(check);
  const { name } = check;
  if (lacks !== undefined) return tell({ kind: "check", name, seconds: 0, lacks });
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 100) / 10;
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(() => timeout.reject(new Error("it takes too long")), TIMEOUT_MS);
  try {
    await Promise.race([check.run(), timeout.promise]);
    tell({ kind: "check", name, seconds: seconds() });
  } catch (error) {
    tell({ kind: "check", name, seconds: seconds(), fault: messageOf(error) });
  } finally {
    clearTimeout(timer);
    for (const text of await log.warnings()) tell({ kind: "warning", text });
  }
}

const RPS: Check = {
  name: "packets arrive on other CPUs",
  run: async () => tell({ kind: "skipped", ...await checkSteeredLoopback() }),
};

async function host(): Promise<Host> {
  const read = (path: string) => Deno.readTextFile(path).catch(() => "");
  return {
    jit: (await read("/proc/sys/net/core/bpf_jit_enable")).trim(),
    lockdown: /\[(\w+)\]/.exec(await read("/sys/kernel/security/lockdown"))?.[1] ?? "none",
    cpus: navigator.hardwareConcurrency,
  };
}

const CHECKS = [...SESSIONS_CHECKS, ...OPTIONS_CHECKS, ...REPORTS_CHECKS, RPS, ...COMMAND_CHECKS];

await log.warnings(); // warnings of the kernel's start are not ours
tell({ kind: "host", release: Deno.osRelease(), host: await host(), checks: CHECKS.length });
const ofCapture = await refusal();
if (ofCapture === undefined) {
  for (const check of CHECKS) await play(check);
  for (const { part, reason } of refusedParts()) tell({ kind: "omission", part, reason });
} else {
  const [ofCommand, ofDoctor] = [await tcpspan(), await tcpspan("doctor")];
  tell({ kind: "refusal", ofCapture, ofCommand, ofDoctor });
  for (const text of await log.warnings()) tell({ kind: "warning", text });
}
tell({ kind: "end" });
Deno.exit(0); // whatever a failed check has left open

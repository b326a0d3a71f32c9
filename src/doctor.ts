/** `tcpspan doctor`: what this host offers and lacks, and what to do about it. */
import { checkHost, type HostCheck } from "./host.ts";

const LABELS: Record<HostCheck["result"], string> = {
  ok: "ok",
  limited: "limited",
  missing: "MISSING",
};

/** The report, and whether capture can work. */
export function examineHost(): { readonly report: string; readonly usable: boolean } {
  const checks = checkHost();
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map(({ name, result, found, advice }) => {
    const line = `${LABELS[result].padEnd(8)} ${name.padEnd(width)}  ${found}`;
    return advice === undefined ? line : `${line}\n${" ".repeat(9)}-> ${advice}`;
  });
  const usable = checks.every(({ result }) => result !== "missing");
  lines.push("", usable ? "tcpspan can trace here" : "tcpspan cannot trace here");
  return { report: `${lines.join("\n")}\n`, usable };
}

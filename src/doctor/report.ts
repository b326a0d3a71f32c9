/** What doctor found, for people and for programs. */
import type { HostCheck } from "../host/check.ts";
import { printableJson, printableLine } from "../messages/printable.ts";
import { withoutSecrets } from "../messages/secrets.ts";
import type { Session } from "../session/session.ts";
import type { Examination } from "./examine.ts";

const LABEL = 9; // columns

/** A line for each item, and lines below it for the rest of what it says. */
export function describeItems(items: readonly HostCheck[]): string {
  const width = Math.max(...items.map(({ name }) => name.length)) + 2;
  return items.map(({ name, result, found, advice }) => {
    const [first = "", ...others] = found.split("\n");
    const indent = " ".repeat(LABEL);
    const lines = [
      `${result.padEnd(LABEL)}${name.padEnd(width)}${first}`,
      ...others.map((line) => `${indent}${line}`),
      ...(advice?.split("\n") ?? []).map((line) => `${indent}-> ${line}`),
    ];
    return lines.map((line) => `${printableLine(withoutSecrets(line))}\n`).join("");
  }).join("");
}

/** The last line. */
export function describeVerdict({ traces, usable }: Examination): string {
  if (usable) return "tcpspan can trace here\n";
  if (traces) return "tcpspan can trace here, but not everything works: see the lines marked no\n";
  return "tcpspan cannot trace here\n";
}

/** `{ usable, items, session }`. */
export function describeJson({ usable, items, session }: Examination): string {
  const shown = items.map(({ found, advice, key: _, ...item }) => ({
    ...item,
    found: withoutSecrets(found),
    ...(advice === undefined ? {} : { advice: withoutSecrets(advice) }),
  }));
  const report = {
    usable,
    items: shown,
    session: session === undefined ? null : describeSession(session.at(0)),
  };
  return `${printableJson(JSON.stringify(report, null, 2))}\n`;
}

/** The table's row, with the names of the kernel's fields: bytes, microseconds. */
function describeSession(session: Session) {
  const { pid, comm, localAddress, localPort, peerAddress, peerPort, txBytes, rxBytes, lifeUs } =
    session;
  return {
    pid: pid ?? null,
    comm,
    local_address: localAddress,
    local_port: localPort,
    peer_address: peerAddress,
    peer_port: peerPort,
    tx_bytes: txBytes,
    rx_bytes: rxBytes,
    life_us: lifeUs,
  };
}

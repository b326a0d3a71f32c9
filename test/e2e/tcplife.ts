/** The real tcplife of libbpf-tools, beside tcpspan. */
import { Process } from "./process.ts";

/** A row of tcplife. */
export interface TcplifeRow {
  readonly pid: number;
  readonly comm: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  /** KB with two decimals; SYN and FIN count as bytes. */
  readonly txKb: number;
  readonly rxKb: number;
  readonly ms: number;
}

/** A running tcplife. */
export interface Tcplife extends AsyncDisposable {
  /** Waits for rows that match `choose`. */
  waitForRows(count: number, choose: (row: TcplifeRow) => boolean): Promise<TcplifeRow[]>;
  /** All rows so far. */
  rows(): TcplifeRow[];
}

/** It needs tracefs, which is mounted for it alone if it is missing. */
const SCRIPT = `
  [ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || exit
  exec stdbuf -oL tcplife -w
`;

/** Starts tcplife, and waits until it traces. */
export async function startTcplife(): Promise<Tcplife> {
  const process = new Process(["unshare", "--mount", "sh", "-c", SCRIPT]);
  try {
    // the header comes when it has attached
    await process.stdout.waitForLines(1, (line) => line.startsWith("PID "));
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw new Error("cannot start tcplife: run ./setup.sh --dev", { cause: error });
  }
  return {
    async waitForRows(count, choose) {
      const lines = await process.stdout.waitForLines(
        count,
        (text) => parse(text).some(choose),
      );
      return lines.flatMap(({ text }) => parse(text));
    },
    rows: () => process.stdout.lines.flatMap(({ text }) => parse(text)),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

const ROW =
  /^(\d+) +(.*?) +([\da-f.:]+) +(\d+) +([\da-f.:]+) +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) *$/;

/** @returns nothing for what is no row, such as a name over several lines */
function parse(text: string): TcplifeRow[] {
  const match = ROW.exec(text);
  if (match === null) return [];
  const [, pid, comm = "", localAddress = "", localPort, peerAddress = "", peerPort, tx, rx, ms] =
    match;
  return [{
    pid: Number(pid),
    comm,
    localAddress,
    localPort: Number(localPort),
    peerAddress,
    peerPort: Number(peerPort),
    txKb: Number(tx),
    rxKb: Number(rx),
    ms: Number(ms),
  }];
}

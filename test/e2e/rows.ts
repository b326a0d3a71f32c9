/** Rows of tcplife's formats, as tcpspan prints them. */

/** tcplife's printf formats: headers and rows of the default and -w; what -T and -t put in front. */
const PRINTF = {
  table: {
    header: "%-5s %-10.10s %s%-15s %-5s %-15s %-5s %5s %5s %s",
    row: "%-5d %-10.10s %s%-15s %-5d %-15s %-5d %5d %5d %.2f",
  },
  wide: {
    header: "%-5s %-16.16s %-2s %-39s %-5s %-39s %-5s %6s %6s %s",
    row: "%-5d %-16.16s %-2s %-39s %-5d %-39s %-5d %6d %6d %.2f",
  },
  time: { header: "%-8s ", row: "%-8s " },
  timestamp: { header: "%-9s ", row: "%-9.6f " },
} as const;

/** Which of tcplife's formats: `format` -w or -s, `time` -T, `timestamp` -t. */
export interface RowFormat {
  readonly format: "table" | "wide" | "csv";
  readonly time: boolean;
  readonly timestamp: boolean;
}

/** What a row says. */
export interface Row {
  /** -T: HH:MM:SS */
  readonly time: string | undefined;
  /** -t: seconds */
  readonly timestamp: number | undefined;
  readonly pid: number;
  readonly comm: string;
  /** In the formats -w and -s. */
  readonly ip: string | undefined;
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly txKb: number;
  readonly rxKb: number;
  readonly ms: number;
}

/** The first line, as tcplife prints it. */
export function headerOf({ format, time, timestamp }: RowFormat): string {
  const names = ["PID", "COMM", "IP", "LADDR", "LPORT", "RADDR", "RPORT", "TX_KB", "RX_KB", "MS"];
  const clocks = [...(time ? ["TIME"] : []), ...(timestamp ? ["TIME(s)"] : [])];
  if (format === "csv") return [...clocks, ...names].join(",");
  const shown = names.map((name) => format === "table" && name === "IP" ? "" : name);
  return printf(printfOf({ format, time, timestamp }, "header"), [...clocks, ...shown]);
}

/** Reads a row of sessions whose names hold no space, comma or quote. */
export function parseRow(text: string, { format, time, timestamp }: RowFormat): Row {
  const fields = format === "csv" ? text.split(",") : text.trim().split(/ +/);
  const next = () => fields.shift() ?? "";
  const row = {
    time: time ? next() : undefined,
    timestamp: timestamp ? Number(next()) : undefined,
    pid: Number(next()),
    comm: next(),
    ip: format === "table" ? undefined : next(),
    localAddress: next(),
    localPort: Number(next()),
    peerAddress: next(),
    peerPort: Number(next()),
    txKb: Number(next()),
    rxKb: Number(next()),
    ms: Number(next()),
  };
  if (fields.length > 0) throw new Error(`cannot read the row ${text}: it has too many fields`);
  return row;
}

/** The row as tcplife prints it. */
export function printRow(row: Row, rowFormat: RowFormat): string {
  const { format, time, timestamp } = rowFormat;
  const clocks = [...(time ? [row.time] : []), ...(timestamp ? [row.timestamp] : [])];
  const { pid, comm, ip, localAddress, localPort, peerAddress, peerPort, txKb, rxKb, ms } = row;
  const values = [pid, comm, ip, localAddress, localPort, peerAddress, peerPort, txKb, rxKb, ms];
  if (format !== "csv") return printf(printfOf(rowFormat, "row"), [...clocks, ...values]);
  const seconds = row.timestamp?.toFixed(6);
  return [
    ...[...(time ? [row.time] : []), ...(timestamp ? [seconds] : [])],
    ...[...values.slice(0, -1), ms.toFixed(2)],
  ].join(",");
}

function printfOf({ format, time, timestamp }: RowFormat, which: "header" | "row"): string {
  if (format === "csv") throw new Error("tcplife has no printf format for CSV");
  return (time ? PRINTF.time[which] : "") + (timestamp ? PRINTF.timestamp[which] : "") +
    PRINTF[format][which];
}

/** C's printf, for conversions like `%-10.10s`, `%5d` and `%-9.6f`. */
function printf(format: string, values: readonly (string | number | undefined)[]): string {
  const left = [...values];
  return format.replaceAll(
    /%(-?)(\d*)(?:\.(\d+))?([sdf])/g,
    (_, minus: string, width: string, precision: string | undefined, conversion: string) => {
      const value = left.shift() ?? "";
      const text = conversion === "f" ? Number(value).toFixed(Number(precision ?? 6)) : `${value}`;
      const cut = conversion === "s" && precision !== undefined
        ? text.slice(0, Number(precision))
        : text;
      return minus === "-" ? cut.padEnd(Number(width)) : cut.padStart(Number(width));
    },
  );
}

/** What the program says to its user: on stderr, because stdout carries only data. */
import { Limiter, NOTICE_INTERVAL_MS } from "./limiter.ts";
import { linesOf, printableJson, printableLine } from "./printable.ts";
import { withoutSecrets } from "./secrets.ts";

/** How messages are written: lines for people, or JSON objects, one a line, for log shippers. */
export type LogFormat = "text" | "json";

/** `error` ends the run; `warn` wants attention; `info` says what happens. */
export type LogLevel = "error" | "warn" | "info";

/** What a message is about, for machines; the text format has only the message. */
export interface LogFields {
  /** Id of the exporter. */
  readonly exporter?: string;
  /** Number of sessions. */
  readonly sessions?: number;
  /** Where they were lost. */
  readonly place?: string;
  /** Where the exporter sends: a URL without what may be secret, a path, a module. */
  readonly destination?: string;
  /** All exporters of a run, with their destinations. */
  readonly destinations?: readonly Pick<LogFields, "exporter" | "destination">[];
}

/** Shows a message to the user; the fields of its source are added to its own. */
export type Warn = (message: string, fields?: LogFields) => void;

/** From one source, in each interval. */
const MOST_WARNINGS = 30;

/**
 * Writes messages. Whatever a message holds, nothing is written that a terminal would act on.
 * Errors and warnings quote what servers, modules and files say: secrets in them are hidden.
 * Information and losses are tcpspan's own words and counts, which may only look like a secret.
 */
export class Logger {
  format: LogFormat = "text";

  /** @param write takes a line, with its end */
  constructor(private readonly write: (line: string) => void) {}

  /** @param message if it is a list, one item per line */
  error(message: string | readonly string[], fields?: LogFields): void {
    this.#log("error", hidden(message), fields);
  }

  /** @param message if it is a list, one item per line */
  warn(message: string | readonly string[], fields?: LogFields): void {
    this.#log("warn", hidden(message), fields);
  }

  /** Warns of sessions that were lost, in tcpspan's own words. */
  lost(message: string, fields?: LogFields): void {
    this.#log("warn", message, fields);
  }

  /**
   * Writes the warnings of one source, such as an exporter, but limits their number, so that they
   * do not flood the log. The next one says how many were left out. They may have several lines.
   */
  limited(source: LogFields): Warn {
    const interval = new Limiter(NOTICE_INTERVAL_MS);
    let written = 0; // in this interval
    let leftOut = 0; // since the last one that was written
    return (message, fields) => {
      if (interval.allows()) written = 0;
      if (written === MOST_WARNINGS) {
        leftOut++;
        return;
      }
      written++;
      const note = leftOut === 0 ? "" : ` (warnings left out before this one: ${leftOut})`;
      leftOut = 0;
      const text = message + note;
      this.warn(this.format === "text" ? linesOf(text) : text, { ...source, ...fields });
    };
  }

  info(message: string, fields?: LogFields): void {
    this.#log("info", message, fields);
  }

  /**
   * Reports something that has several parts.
   * @param message what it is; @param lines the parts, for people; @param fields the same, for
   * machines
   */
  report(
    message: string,
    lines: readonly string[],
    fields: Readonly<Record<string, unknown>>,
  ): void {
    this.#log("info", this.format === "text" ? [message, ...lines] : message, fields);
  }

  #log(level: LogLevel, message: string | readonly string[], fields?: object): void {
    const lines = typeof message === "string" ? [message] : message;
    if (this.format === "text") {
      this.write(`tcpspan: ${lines.map(printableLine).join("\n")}\n`);
      return;
    }
    const time = new Date().toISOString();
    const entry = { time, level, message: lines.join("\n"), ...fields };
    this.write(`${printableJson(JSON.stringify(entry))}\n`);
  }
}

function hidden(message: string | readonly string[]): readonly string[] {
  return (typeof message === "string" ? [message] : message).map(withoutSecrets);
}

const encoder = new TextEncoder();

/** The program's logger. */
export const log = new Logger((line) => {
  let bytes: Uint8Array = encoder.encode(line);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // a failure of stderr can be reported nowhere
  }
});

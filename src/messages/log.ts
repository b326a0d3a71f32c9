/** What the program says to its user: on stderr, since stdout carries data alone. */
import { Limiter, NOTICE_INTERVAL_MS } from "./limiter.ts";
import { printableJson, printableLine } from "./printable.ts";
import { withoutSecrets } from "./secrets.ts";

/** How messages are written: lines for people, or JSON objects, one a line, for log shippers. */
export type LogFormat = "text" | "json";

/** `error` ends the run; `warn` wants attention; `info` says what goes on. */
export type LogLevel = "error" | "warn" | "info";

/** What a message is about, for machines; in the text format the message alone is written. */
export interface LogFields {
  /** Id of the exporter. */
  readonly exporter?: string;
  /** Number of sessions. */
  readonly sessions?: number;
  /** Where they were lost. */
  readonly place?: string;
}

/** Takes a message to the user; the fields of its source need not be among its own. */
export type Warn = (message: string, fields?: LogFields) => void;

/** Of one source, in each interval. */
const MOST_WARNINGS = 30;

/**
 * Writes messages. Whatever is in one, a line is written and nothing that a terminal would act on.
 * Errors and warnings quote what servers, modules and files say: secrets in them are hidden.
 * Information and losses are words and counts of tcpspan's own, which may look like a secret.
 */
export class Logger {
  format: LogFormat = "text";

  /** @param write takes a line, with its end */
  constructor(private readonly write: (line: string) => void) {}

  /** @param message of several lines where it is a list */
  error(message: string | readonly string[], fields?: LogFields): void {
    this.#log("error", hidden(message), fields);
  }

  /** @param message of several lines where it is a list */
  warn(message: string | readonly string[], fields?: LogFields): void {
    this.#log("warn", hidden(message), fields);
  }

  /** Warns of sessions that were lost, in words of tcpspan's own. */
  lost(message: string, fields?: LogFields): void {
    this.#log("warn", message, fields);
  }

  /**
   * Writes the warnings of one source, such as an exporter, but limits their number, so that what
   * provokes them floods no log. Those that are left out are counted in the next one.
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
      this.warn(message + note, { ...source, ...fields });
    };
  }

  info(message: string, fields?: LogFields): void {
    this.#log("info", message, fields);
  }

  /**
   * Something of several parts, as information.
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

/** The program's. */
export const log = new Logger((line) => {
  let bytes: Uint8Array = encoder.encode(line);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // nobody can be told that nobody can be told
  }
});

/** The signals that are handled from a run's first moment to its last. */
import { ignoreSignal } from "../../ffi/signals.ts";
import { log } from "../messages/log.ts";
import { Terminal } from "./terminal.ts";

/**
 * SIGUSR1 does nothing, rather than open Deno's debugger. SIGXFSZ does nothing, so that a file at
 * its limit (ulimit -f) is a failed write, as on a full disk. SIGUSR2 asks for a report. Without a
 * listener it would end the process, so its listener is never removed.
 */
export class StandingSignals {
  /** Read before the first listener is added: Deno then takes over SIGHUP, too. */
  readonly terminal = new Terminal();
  #answer: (() => void) | undefined;

  constructor() {
    if (this.terminal.ignoresHangup) Deno.addSignalListener("SIGHUP", () => {}); // see nohup(1)
    Deno.addSignalListener("SIGUSR2", () => {
      if (this.#answer === undefined) log.info("health: not tracing");
      else this.#answer();
    });
    ignoreSignal("SIGUSR1");
    ignoreSignal("SIGXFSZ");
  }

  /** Answers each SIGUSR2 with `report`, idle or not, until disposed of. */
  answer(report: () => void): Disposable {
    this.#answer = report;
    return { [Symbol.dispose]: () => this.#answer = undefined };
  }
}

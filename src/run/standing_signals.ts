/** The signals that are looked after from a run's first moment to its last. */
import { ignoreSignal } from "../../ffi/signals.ts";
import { log } from "../messages/log.ts";
import { Terminal } from "./terminal.ts";

/**
 * SIGUSR1 does nothing, rather than open Deno's debugger. SIGUSR2 asks for a report, and does not end
 * the process, which it does without a listener: there is one for good.
 */
export class StandingSignals {
  /** Read before Deno, at its first listener, takes over SIGHUP, too. */
  readonly terminal = new Terminal();
  #answer: (() => void) | undefined;

  constructor() {
    if (this.terminal.ignoresHangup) Deno.addSignalListener("SIGHUP", () => {}); // as nohup(1) has it
    Deno.addSignalListener("SIGUSR2", () => {
      if (this.#answer === undefined) log.info("health: not tracing");
      else this.#answer();
    });
    ignoreSignal("SIGUSR1");
  }

  /** Answers each SIGUSR2 with `report`, idle or not, until disposed of. */
  answer(report: () => void): Disposable {
    this.#answer = report;
    return { [Symbol.dispose]: () => this.#answer = undefined };
  }
}

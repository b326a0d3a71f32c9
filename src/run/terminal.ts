/** The terminal that a run was started in: whether SIGHUP says that it has gone. */
import { readProc } from "../host/procfs.ts";

const SIGHUP_BIT = 1n << 0n;

/** The controlling terminal of this process, as it was when this was made. */
export class Terminal {
  /** Whether this process was started with SIGHUP ignored: by nohup(1), so that it continues. */
  readonly ignoresHangup = isHangupIgnored();
  /** Whether a run must end with its terminal. */
  readonly endsRun = hasTerminal() && !this.ignoresHangup;

  /** Whether it has gone. sudo(8) gives programs a terminal of its own, which stays. */
  get hasGone(): boolean {
    return !hasTerminal();
  }
}

/** proc_pid_stat(5): tty_nr, field 7, is 0 without a terminal, and after a hang-up. */
function hasTerminal(): boolean {
  const [, number = "0"] = /\) \S \d+ \d+ \d+ (\d+) [^)]*$/.exec(readProc("self/stat") ?? "") ?? [];
  return number !== "0";
}

/** proc_pid_status(5): a mask of the signals that are ignored. */
function isHangupIgnored(): boolean {
  const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readProc("self/status") ?? "") ?? [];
  return (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}

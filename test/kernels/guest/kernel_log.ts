/** What the kernel complains about while programs are loaded and run. */
const WARNING = /WARNING: |REG INVARIANTS VIOLATION|verifier bug|BUG: |Oops|general protection/;

/** Reads the kernel's log, each time from the last position. */
export class KernelLog {
  #seen = "";

  /** The new lines that are warnings. */
  async warnings(): Promise<string[]> {
    const { stdout } = await new Deno.Command("busybox", { args: ["dmesg"] }).output();
    const log = new TextDecoder().decode(stdout);
    const fresh = log.startsWith(this.#seen) ? log.slice(this.#seen.length) : log;
    this.#seen = log;
    return fresh.split("\n").filter((line) => WARNING.test(line));
  }
}

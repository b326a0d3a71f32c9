/** What the kernel complains of while programs are loaded and run. */
const WARNING = /WARNING: |REG INVARIANTS VIOLATION|verifier bug|BUG: |Oops|general protection/;

/** Reads the kernel's log from where it was left. */
export class KernelLog {
  #seen = "";

  /** The lines that warn, since the last look. */
  async warnings(): Promise<string[]> {
    const { stdout } = await new Deno.Command("busybox", { args: ["dmesg"] }).output();
    const log = new TextDecoder().decode(stdout);
    const fresh = log.startsWith(this.#seen) ? log.slice(this.#seen.length) : log;
    this.#seen = log;
    return fresh.split("\n").filter((line) => WARNING.test(line));
  }
}

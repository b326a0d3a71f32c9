/** What `doctor` says of one thing, and what a run is refused for. */
export interface HostCheck {
  readonly name: string;
  /** `without`: it works, with less. `no`: a run would not work. */
  readonly result: "ok" | "without" | "no";
  /** What was found; of several lines where the kernel said as much. */
  readonly found: string;
  /** Of `without`, what is lost; of `no`, what to do. */
  readonly advice?: string;
}

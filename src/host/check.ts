/** What `doctor` reports of one thing. A `no` also stops a run. */
export interface HostCheck {
  readonly name: string;
  /** The part of the config that it is about, as a path of keys. */
  readonly key?: readonly string[];
  /** `without`: it works, with less. `no`: a run would not work. */
  readonly result: "ok" | "without" | "no";
  /** What was found; several lines if the kernel gave several. */
  readonly found: string;
  /** Of `without`, what is lost; of `no`, what to do. */
  readonly advice?: string;
}

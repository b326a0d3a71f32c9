/** A capture, as programs get it. */
import type { CaptureLosses } from "../capture/capture.ts";
import type { Omission } from "../capture/omission.ts";
import type { SessionBatch } from "./batch.ts";

/** Sessions as they end. Iterate over it once; dispose of it to detach what is not pinned. */
export interface Capture extends AsyncIterable<SessionBatch>, AsyncDisposable {
  /** Ends the iteration once what is in the ring has been delivered. */
  stop(): void;
  /** What was lost until now; also after the end. */
  losses(): CaptureLosses;
  /** Sessions, and reports of open ones, that sampling left out until now. */
  readonly sampledOut: number;
  /** What it does without, because the host refused it. */
  readonly omissions: readonly Omission[];
}

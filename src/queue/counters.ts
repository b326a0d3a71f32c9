/** What became of the sessions in a queue. */

/**
 * Sessions that went through a queue. Whatever happens,
 * `accepted + restored = exported + failed + dropped + corrupt`, plus those that wait or are under way.
 */
export interface QueueCounters {
  /** Handed to the queue. */
  accepted: number;
  /** Found on disk at the start: of an earlier run. */
  restored: number;
  /** Delivered. */
  exported: number;
  /** Lost because the queue was full, or could not be written and was full in memory. */
  dropped: number;
  /** Lost because the destination refused them or could not take them, or was given up on. */
  failed: number;
  /** Part of `failed`: refused within an export that was taken (partial success). */
  rejected: number;
  /** Lost because they were damaged on disk, or taken away from there. */
  corrupt: number;
  /** Bytes damaged on disk, whether or not it is known how many sessions they were. */
  corruptBytes: number;
  /** Tries after a first one; these count exports, not sessions. */
  retries: number;
}

/** Nothing happened yet. */
export function newCounters(): QueueCounters {
  return {
    accepted: 0,
    restored: 0,
    exported: 0,
    dropped: 0,
    failed: 0,
    rejected: 0,
    corrupt: 0,
    corruptBytes: 0,
    retries: 0,
  };
}

/** How long trials take. */

/**
 * Times are seconds, rates sessions a second; a session has two ends. `growthMb` is what memory may
 * grow from the first third of an outage to its last: queues fill up at the start.
 */
export interface Scale {
  readonly outage: {
    readonly seconds: number;
    readonly rate: number;
    readonly growthMb: number;
  };
  readonly busyOutage: { readonly seconds: number; readonly growthMb: number };
  readonly kills: { readonly count: number; readonly rate: number };
  readonly standstill: { readonly seconds: number; readonly rate: number };
  readonly disk: { readonly seconds: number; readonly rate: number; readonly mib: number };
  readonly soak: { readonly seconds: number; readonly rate: number };
}

/** What docs/reliability.md shows. The soak makes as many sessions as an hour at 200 a second. */
export const FULL: Scale = {
  outage: { seconds: 120, rate: 1000, growthMb: 16 },
  busyOutage: { seconds: 20, growthMb: 64 },
  kills: { count: 50, rate: 1000 },
  standstill: { seconds: 5, rate: 10_000 },
  disk: { seconds: 15, rate: 2000, mib: 8 },
  soak: { seconds: 360, rate: 2000 },
};

/** For the tests. */
export const SHORT: Scale = {
  outage: { seconds: 6, rate: 1000, growthMb: 96 },
  busyOutage: { seconds: 3, growthMb: 96 },
  kills: { count: 6, rate: 1000 },
  standstill: { seconds: 3, rate: 10_000 },
  disk: { seconds: 6, rate: 2000, mib: 4 },
  soak: { seconds: 15, rate: 2000 },
};

/** How long and how often to measure. */
export interface Scale {
  /** Pairs of measurements, interleaved. */
  readonly rounds: number;
  /** Duration of one load of short sessions. */
  readonly churnSeconds: number;
  /** Duration of a load of 100,000 session ends a second. */
  readonly lossSeconds: number;
  /** Session ends during which memory is watched. */
  readonly memoryEnds: number;
  readonly idleSeconds: number;
  /** Starts that are timed. */
  readonly starts: number;
  /** Sockets that are open before the start. */
  readonly sockets: number;
  /** Duration of one transfer at full speed. */
  readonly bulkSeconds: number;
}

/** Some minutes. */
export const FULL: Scale = {
  rounds: 5,
  churnSeconds: 3,
  lossSeconds: 10,
  memoryEnds: 5_000_000,
  idleSeconds: 20,
  starts: 7,
  sockets: 100_000,
  bulkSeconds: 3,
};

/** About a minute: too short for reliable figures. */
export const QUICK: Scale = {
  rounds: 2,
  churnSeconds: 1,
  lossSeconds: 2,
  memoryEnds: 250_000,
  idleSeconds: 4,
  starts: 2,
  sockets: 100_000,
  bulkSeconds: 1,
};

/** Which CPUs run what. */

/** The number of logical CPUs, of which the receiver needs one: at least two. */
export const CPUS = navigator.hardwareConcurrency;

/** The CPU for a load that needs its own core; other programs may still run there. */
export const LOAD_CPU = CPUS - 1;

/** The other CPUs, for the receiver, in the notation of taskset(1). */
export const OTHER_CPUS = CPUS === 1 ? "0" : `0-${CPUS - 2}`;

/** Who runs where. */

/** Logical CPUs, of which there are two at least: the receiver is to have one. */
export const CPUS = navigator.hardwareConcurrency;

/** The one that a load is kept on which is to have a core of its own; nothing else is kept off it. */
export const LOAD_CPU = CPUS - 1;

/** The others, for the receiver, in the words of taskset(1). */
export const OTHER_CPUS = CPUS === 1 ? "0" : `0-${CPUS - 2}`;

/** Settings of the stdout exporter where nothing is said. */
export const DEFAULTS = { format: "table" as const, time: false, timestamp: false };

/** Default settings of the stdout exporter. */
export const DEFAULTS = { format: "table" as const, time: false, timestamp: false };

/** The iterator programs of bpf/walks.h, by purpose. */
import type { OptionalProgram } from "./omission.ts";

/**
 * An iterator over files sees the sockets that a process has a descriptor of, in all network
 * namespaces. One over sockets sees all of one namespace: also those that no process has accepted
 * yet, that their process has closed, and that are on their way to another process.
 */
export const ITERATORS = {
  seed: { files: "seed_owner", sockets: "seed_role" },
  report: { files: "report_files", sockets: "report_sockets" },
  count: { files: "count_files", sockets: "count_sockets" },
} as const satisfies Record<string, { files: OptionalProgram; sockets: OptionalProgram }>;

/** What walks are for. */
export type Purpose = keyof typeof ITERATORS;

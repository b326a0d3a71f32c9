/** The iterator programs of bpf/walks.h, by what they are for. */
import type { OptionalProgram } from "./omission.ts";

/**
 * One over files sees what a process has a descriptor of, in all network namespaces. One over sockets
 * sees all of one namespace: also what nobody has accepted yet, what its process has closed, and what
 * is on its way to another process.
 */
export const ITERATORS = {
  seed: { files: "seed_owner", sockets: "seed_role" },
  report: { files: "report_files", sockets: "report_sockets" },
  count: { files: "count_files", sockets: "count_sockets" },
} as const satisfies Record<string, { files: OptionalProgram; sockets: OptionalProgram }>;

/** What walks are for. */
export type Purpose = keyof typeof ITERATORS;

/** Endings that cannot be made here without harm to the machine, or at all. */
import type { Case } from "../../case.ts";

export const IMPOSSIBLE: Case[] = [
  {
    name: "the kernel ends an orphan because there are too many",
    section: "ends",
    impossible: "tcp_max_orphans is one for all network namespaces: other sessions would end too",
  },
  {
    name: "the kernel ends a session because TCP is out of memory",
    section: "ends",
    impossible: "tcp_mem is one for all network namespaces: other sessions would end too",
  },
  {
    name: "the kernel fails to make an accepted socket",
    section: "ends",
    impossible: "needs an allocation to fail, and this kernel has no fault injection",
  },
];

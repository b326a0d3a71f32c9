/** How sessions end: the rows of "How it ended" in docs/kernel.md, and more. */
import type { Case } from "../case.ts";
import { ATTEMPTS } from "./ends/attempt.ts";
import { FINS } from "./ends/fin.ts";
import { IMPOSSIBLE } from "./ends/impossible.ts";
import { PROCESSES } from "./ends/process.ts";
import { RESETS } from "./ends/reset.ts";
import { TIMEOUTS } from "./ends/timeout.ts";

export const ENDS: Case[] = [
  ...FINS,
  ...RESETS,
  ...ATTEMPTS,
  ...TIMEOUTS,
  ...PROCESSES,
  ...IMPOSSIBLE,
];

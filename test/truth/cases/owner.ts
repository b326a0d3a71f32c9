/** Whose a session is. */
import type { Case } from "../case.ts";
import { CHANGES } from "./owner/change.ts";
import { ENDINGS } from "./owner/ending.ts";
import { KERNEL } from "./owner/kernel.ts";
import { PASSED } from "./owner/passed.ts";
import { PLAIN } from "./owner/plain.ts";
import { WORKERS } from "./owner/worker.ts";

export const OWNERS: Case[] = [
  ...PLAIN,
  ...WORKERS,
  ...PASSED,
  ...CHANGES,
  ...ENDINGS,
  ...KERNEL,
];

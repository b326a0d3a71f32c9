/** What is counted. */
import type { Case } from "../case.ts";
import { DIRECTIONS } from "./bytes/direction.ts";
import { FAST_OPEN } from "./bytes/fast_open.ts";
import { LOSSES } from "./bytes/loss.ts";
import { SEQUENCES } from "./bytes/sequence.ts";
import { UNREAD } from "./bytes/unread.ts";
import { WRITES } from "./bytes/write.ts";

export const BYTES: Case[] = [
  ...DIRECTIONS,
  ...WRITES,
  ...UNREAD,
  ...LOSSES,
  ...SEQUENCES,
  ...FAST_OPEN,
];

/** When a session began and ended. */
import type { Case } from "../case.ts";

export const TIMES: Case[] = [];

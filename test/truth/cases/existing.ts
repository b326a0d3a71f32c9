/** What was open before the tracers. */
import type { Case } from "../case.ts";

export const EXISTING: Case[] = [];

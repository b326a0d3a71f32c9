/** Whose a session is. */
import type { Case } from "../case.ts";

export const OWNERS: Case[] = [];

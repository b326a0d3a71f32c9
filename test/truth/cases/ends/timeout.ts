import type { Case } from "../../case.ts";
export const TIMEOUTS: Case[] = [];

import type { Case } from "../../case.ts";
export const RESETS: Case[] = [];

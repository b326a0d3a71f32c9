import type { Case } from "../../case.ts";
export const PROCESSES: Case[] = [];

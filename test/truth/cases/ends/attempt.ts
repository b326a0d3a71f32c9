import type { Case } from "../../case.ts";
export const ATTEMPTS: Case[] = [];

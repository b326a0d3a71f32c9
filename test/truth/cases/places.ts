/** Where sessions are: address families, namespaces, containers. */
import type { Case } from "../case.ts";

export const PLACES: Case[] = [];

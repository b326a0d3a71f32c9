/** All cases, in the order of docs/truth.md. */
import type { Case } from "../case.ts";
import { BYTES } from "./bytes.ts";
import { ENDS } from "./ends.ts";

export const CASES: readonly Case[] = [...BYTES, ...ENDS];

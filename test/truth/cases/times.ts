/** When a session began and ended. */
import type { Case } from "../case.ts";
import { HANDSHAKES } from "./times/handshake.ts";
import { LENGTHS } from "./times/length.ts";
import { STEPS } from "./times/step.ts";

export const TIMES: Case[] = [
  ...HANDSHAKES,
  ...LENGTHS,
  ...STEPS,
];

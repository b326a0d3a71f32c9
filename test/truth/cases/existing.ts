/** What was open before the tracers. */
import type { Case } from "../case.ts";
import { ATTEMPTS } from "./existing/attempt.ts";
import { HALF_CLOSED } from "./existing/half_closed.ts";
import { LISTENERS } from "./existing/listener.ts";
import { SESSIONS } from "./existing/session.ts";
import { SHARED } from "./existing/shared.ts";

export const EXISTING: Case[] = [
  ...SESSIONS,
  ...HALF_CLOSED,
  ...LISTENERS,
  ...ATTEMPTS,
  ...SHARED,
];

/** All cases, in the order of docs/truth.md. */
import type { Case } from "../case.ts";
import { BYTES } from "./bytes.ts";
import { ENDS } from "./ends.ts";
import { EXISTING } from "./existing.ts";
import { OWNERS } from "./owner.ts";
import { PLACES } from "./places.ts";
import { TIMES } from "./times.ts";

export const CASES: readonly Case[] = [
  ...OWNERS,
  ...EXISTING,
  ...BYTES,
  ...ENDS,
  ...TIMES,
  ...PLACES,
];

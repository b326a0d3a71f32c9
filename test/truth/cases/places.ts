/** Where sessions are: address families, namespaces, containers. */
import type { Case } from "../case.ts";
import { CONTAINERS } from "./places/container.ts";
import { FAMILIES } from "./places/family.ts";
import { NAMESPACES } from "./places/namespace.ts";
import { ROUTES } from "./places/route.ts";
import { ZONES } from "./places/zone.ts";

export const PLACES: Case[] = [
  ...FAMILIES,
  ...ZONES,
  ...ROUTES,
  ...NAMESPACES,
  ...CONTAINERS,
];

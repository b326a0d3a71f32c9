import { LARGEST_PORT } from "./limits.ts";

/** The ports of `80` or of `8000-8999`, both ends included; undefined if it is none of them. */
export function parsePorts(text: string): number[] | undefined {
  const [, digits, end = digits] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [first, last] = [Number(digits), Number(end)];
  if (!(first >= 1 && first <= last && last <= LARGEST_PORT)) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

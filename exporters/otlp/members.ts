/** Reads values that somebody else wrote. */

/** The members of an object; none of any other value. */
export function members(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

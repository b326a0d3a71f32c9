import * as z from "../../vendor/zod.js";

/**
 * A mapping in the config file with these keys and no others. A section with nothing in it (`tls:`
 * with every line below commented out) or none at all stands for its defaults.
 */
export function section<Shape extends z.core.$ZodShape>(shape: Shape) {
  return orEmpty(z.strictObject(shape));
}

/** A section that is off if it is left out, and on with its defaults if it is empty. */
export function optionalSection<Shape extends z.core.$ZodShape>(shape: Shape) {
  const mapping = z.strictObject(shape);
  return mapping.nullable().transform((value) => value ?? mapping.parse({})).optional();
}

/** `mapping`, or nothing at all, which stands for a mapping without keys. */
export function orEmpty<Mapping extends z.ZodType>(mapping: Mapping) {
  return z.preprocess((value) => value ?? {}, mapping).prefault({});
}

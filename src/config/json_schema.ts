/** The config file's JSON Schema, for editors. */
import * as z from "../../vendor/zod.js";
import type { ExporterSchemas } from "./load.ts";
import { configSchema } from "./schema.ts";

/** A JSON Schema that is an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const REFERENCE = "environmentReference";

/**
 * The JSON Schema (draft 2020-12) of config files, from the schema that they are checked with. A
 * reference to the environment may stand where a number, a word or the like is expected.
 */
export function configJsonSchema(schemas: ExporterSchemas): JsonSchema {
  const top = toJsonSchema(configSchema);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "tcpspan config",
    ...top,
    properties: { ...asObject(top["properties"]), exporters: exportersSchema(schemas) },
    $defs: {
      [REFERENCE]: {
        description: "A value from the environment: ${env:NAME} or ${env:NAME:-default}.",
        type: "string",
        pattern: "\\$\\{env:[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}",
      },
    },
  };
}

/** Ids select types by the part before `/`, unless the settings have the key of a type. */
function exportersSchema(schemas: ExporterSchemas): JsonSchema {
  const byId: [pattern: string, summary: string, settings: JsonSchema][] = [];
  const byKey: [key: string, settings: JsonSchema][] = [];
  for (const [{ type, summary, selectingKey }, schema] of schemas) {
    const settings = toJsonSchema(schema);
    if (selectingKey !== undefined) byKey.push([selectingKey.name, settings]);
    else byId.push([`^${type}(/\\S+)?$`, summary, settings]);
  }
  const unlessKey = (settings: JsonSchema) =>
    byKey.reduce<JsonSchema>((otherwise, [key, settings]) => ({
      if: { type: "object", properties: { [key]: true }, required: [key] },
      then: settings,
      else: otherwise,
    }), settings["required"] === undefined ? orNull(settings) : settings);
  return {
    description: "Where sessions go. Ids are type or type/name.",
    type: "object",
    minProperties: 1,
    patternProperties: Object.fromEntries(
      byId.map((
        [pattern, summary, settings],
      ) => [pattern, { description: summary, ...unlessKey(settings) }]),
    ),
    additionalProperties: byKey.length === 0 ? false : { anyOf: byKey.map(([, schema]) => schema) },
  };
}

function toJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input" });
  return asWritten(json);
}

/** A schema of values as they are in the file: with references, and with empty sections. */
function asWritten(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties, anyOf } = schema;
  if (properties !== undefined || additionalProperties !== undefined) {
    const object: JsonSchema = {
      ...schema,
      ...(properties === undefined ? {} : { properties: mapValues(properties, asWritten) }),
      ...(isObject(additionalProperties)
        ? { additionalProperties: asWritten(additionalProperties) }
        : {}),
    };
    return schema["default"] === undefined ? object : orNull(object);
  }
  if (items !== undefined) return { ...schema, items: asWritten(asObject(items)) };
  if (Array.isArray(anyOf)) return { ...schema, anyOf: anyOf.map(asWritten) };
  return needsReference(schema) ? orReference(schema) : schema;
}

/** The schema is one of scalars that would not take the text of a reference. */
function needsReference({ type, pattern, ...schema }: JsonSchema): boolean {
  if (type === "string") return pattern !== undefined || schema["enum"] !== undefined;
  return ["integer", "number", "boolean"].includes(String(type)) || schema["enum"] !== undefined;
}

function orReference({ description, default: fallback, ...scalar }: JsonSchema): JsonSchema {
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [scalar, { $ref: `#/$defs/${REFERENCE}` }],
  };
}

function orNull(schema: JsonSchema): JsonSchema {
  return { ...schema, type: ["object", "null"] };
}

function mapValues(value: unknown, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(asObject(value)).map(([key, schema]) => [key, change(asObject(schema))]),
  );
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): JsonSchema {
  return isObject(value) ? value : {};
}

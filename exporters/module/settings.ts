import * as z from "../../vendor/zod.js";
import { orEmpty } from "../../src/config/section.ts";
import { sendingQueue } from "../../src/queue/schema.ts";

const MODULE = "a module such as npm:@opentelemetry/exporter-zipkin@3.1.0 or ./exporter.ts";
const EXPORT = "the name of the SpanExporter class or the exporter type that the module exports";

function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== "" || url.password !== "");
}

/** Any exporter id with a `module` key: a SpanExporter of OpenTelemetry JS, or an exporter type. */
export const moduleSettings = z.strictObject({
  module: z.string(MODULE).min(1, MODULE)
    // Deno prints the URL of what it downloads
    .refine((text) => !hasCredentials(text), "a URL without user name and password")
    .describe("What to import: npm:NAME@VERSION, or a path relative to the config file."),
  export: z.string(EXPORT).min(1, EXPORT)
    .describe("The SpanExporter class or the exporter type among the module's exports."),
  options: orEmpty(z.record(z.string(), z.unknown(), "a mapping"))
    .describe("The one argument of the class's constructor, or the settings of the type's open()."),
  sending_queue: sendingQueue,
}).describe("A SpanExporter of OpenTelemetry JS, or an exporter type of a module.");

/** Settings of an exporter of a module. */
export type ModuleSettings = z.output<typeof moduleSettings>;

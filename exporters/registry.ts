/** The exporters that a config file can select. */
import type { ExporterType } from "../src/exporter.ts";
import { fileExporter } from "./file/file.ts";
import { moduleExporter } from "./module/module.ts";
import { otlpExporter } from "./otlp/otlp.ts";
import { stdoutExporter } from "./stdout/stdout.ts";

/** One entry per type; the id `type` or `type/name` in the config selects it. */
export const exporterTypes: readonly ExporterType<unknown>[] = [
  stdoutExporter,
  otlpExporter,
  fileExporter,
  moduleExporter,
];

import assert from "node:assert/strict";
import { resolveOtlp } from "../../exporters/otlp/environment.ts";
import { DEFAULTS } from "../../exporters/otlp/defaults.ts";
import { exporterTypes } from "../../exporters/registry.ts";
import { NO_FLAGS } from "../../src/run/flags.ts";
import { effectiveSettings } from "../../src/run/settings.ts";
import { assertSafeLine, toText, unlessWrong } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

/** OTEL_* variables, one a line, give settings or an error, and warnings of one line each. */
fuzz("environment", (bytes) => {
  const variables = new Map(
    toText(bytes).split("\n").map((line) => {
      const [name = "", ...value] = line.split("=");
      return [name, value.join("=")];
    }),
  );
  const env = (name: string) => variables.get(name) || undefined;
  unlessWrong(() => effectiveSettings(NO_FLAGS, undefined, { env, exporterTypes }))
    ?.warnings.forEach(assertSafeLine);
  const warn = (message: string) => assertSafeLine(message);
  const resolved = unlessWrong(() => resolveOtlp(DEFAULTS, env, warn));
  if (resolved === undefined) return;
  assert.ok(URL.canParse(resolved.url), resolved.url);
  assert.ok(Number.isSafeInteger(resolved.timeout) && resolved.timeout > 0);
}, {
  tokens: [
    "\nOTEL_TRACES_EXPORTER=",
    "\nOTEL_SERVICE_NAME=",
    "\nOTEL_RESOURCE_ATTRIBUTES=",
    "\nOTEL_SDK_DISABLED=true",
    ...["ENDPOINT", "PROTOCOL", "HEADERS", "COMPRESSION", "TIMEOUT", "CERTIFICATE", "INSECURE"]
      .flatMap((name) => [`\nOTEL_EXPORTER_OTLP_${name}=`, `\nOTEL_EXPORTER_OTLP_TRACES_${name}=`]),
    "http://",
    "grpc",
    "%",
    "\x1b[2J",
  ],
});

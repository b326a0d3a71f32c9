/** What OpenTelemetry's SDKs have in common: results of exports, trace states. */
export * from "npm:@opentelemetry/core@3.1.0";

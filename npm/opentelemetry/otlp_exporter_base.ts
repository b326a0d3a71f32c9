/** What transports of OTLP answer; types alone are used. */
export * from "npm:@opentelemetry/otlp-exporter-base@0.301.0";

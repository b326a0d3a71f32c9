/** OTLP's serializers. */
export * from "npm:@opentelemetry/otlp-transformer@0.301.0";

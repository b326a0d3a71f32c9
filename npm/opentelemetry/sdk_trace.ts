/** Spans as objects; types alone are used. */
export * from "npm:@opentelemetry/sdk-trace@3.1.0";

/** Resources of spans and metrics. */
export * from "npm:@opentelemetry/resources@3.1.0";

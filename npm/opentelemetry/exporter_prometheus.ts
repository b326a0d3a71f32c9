/** The page for Prometheus: loaded where a config asks for it. */
export * from "npm:@opentelemetry/exporter-prometheus@0.301.0";

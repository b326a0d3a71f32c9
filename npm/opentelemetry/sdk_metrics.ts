/** Metrics: loaded where a config asks for tcpspan's own. */
export * from "npm:@opentelemetry/sdk-metrics@3.1.0";

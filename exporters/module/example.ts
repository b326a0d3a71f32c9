/** What the example of a config file shows of an exporter that a module brings. */
export const EXAMPLE = `\
  # Any other id: a SpanExporter of OpenTelemetry JS, or an exporter of your own (docs/library.md).
  zipkin:
    module: npm:@opentelemetry/exporter-zipkin@3.1.0
    export: ZipkinExporter
    options:
      url: http://localhost:9411/api/v2/spans
    # sending_queue like otlp's, without num_consumers; what the module itself gives up is lost
`;

/** What the example of a config file shows of otlp. */
export const EXAMPLE = `\
  # OTLP: Jaeger, an OpenTelemetry Collector, or any other receiver. Endpoint,
  # protocol, headers, compression, timeout and tls come from OTEL_EXPORTER_OTLP_*
  # if they are left out.
  otlp/jaeger:
    endpoint: http://localhost:4318     # /v1/traces is added; traces_endpoint is used as it is
    protocol: http/protobuf     # http/protobuf | http/json | grpc
    headers:
      authorization: "Bearer \${env:TOKEN:-}"
    compression: none           # none | gzip | zstd
    timeout: 10s
    tls:
      # ca_file: /etc/tcpspan/ca.pem      # instead of the system's store
      # cert_file: /etc/tcpspan/client.pem
      # key_file: /etc/tcpspan/client.key
      insecure_skip_verify: false
    sending_queue:
      enabled: true
      queue_size: 100000        # sessions in memory
      num_consumers: 4          # exports at a time
      when_full: drop_newest    # drop_newest | drop_oldest
      # storage: /var/lib/tcpspan       # for what memory cannot hold, and what is left at exit
      persistent: false         # true: all sessions go to the storage first, so a crash loses none
      max_bytes: 1GiB           # of this exporter's part of the storage
    retry_on_failure:
      enabled: true
      initial_interval: 1s
      max_interval: 30s
      max_elapsed_time: 0s      # 0s: try until it is taken
`;

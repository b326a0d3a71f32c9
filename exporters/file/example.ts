/** What the example of a config file shows of file. */
export const EXAMPLE = `\
  # OTLP JSON lines, as the Collector's file exporter writes them.
  file:
    path: /var/log/tcpspan.jsonl      # its folder must exist
    append: true
    rotation:
      max_megabytes: 100        # 0: never
      max_backups: 5            # 0: all
      max_days: 7               # 0: for ever
    compression: none           # none | gzip | zstd
    # sending_queue like otlp's, without num_consumers; retry_on_failure like otlp's
`;

/** What `--help` prints after the flags and commands. */
export const HELP = `
Config:
  tcpspan.yaml names exporters: stdout, otlp, file, or any OpenTelemetry JS
  SpanExporter. With a config, exactly the exporters that it names are used.
    exporters:
      otlp:
        endpoint: http://localhost:4318

Environment (sudo drops variables: write sudo VAR=… deno run …):
  TCPSPAN_CONFIG            config file if --config is not given
  OTEL_TRACES_EXPORTER      without a config: otlp, console, none, or a list
  OTEL_EXPORTER_OTLP_*      endpoint, headers and so on of otlp, if the config
                            does not set them; without a config, an endpoint
                            selects otlp
  http_proxy, no_proxy, …   proxies of otlp, as curl and gRPC know them
  OTEL_RESOURCE_ATTRIBUTES  put on every span
  OTEL_SERVICE_NAME         names every process's spans
  OTEL_SDK_DISABLED         true: exporters that send spans are off

Signals:
  SIGINT, SIGTERM           deliver what waits, then stop; a second one: stop
                            at once
  SIGHUP                    read the config again
  SIGUSR2                   report on stderr how tcpspan is doing: what was
                            captured, lost, queued and delivered

Examples:
  sudo deno run -A mod.ts                         a table of sessions
  sudo deno run -A mod.ts -T -L 443               of port 443, with the time
  sudo deno run -A mod.ts -s --duration 60        CSV, for a minute
  sudo deno run -A mod.ts --config tcpspan.yaml   to the config's exporters
  deno run -A mod.ts config example               a config to start from

Exit status:
  0  a clean stop: SIGINT, SIGTERM, --duration, standard output or
     the terminal closed
  1  the kernel or the host makes it impossible to run
  2  a wrong flag or config`;

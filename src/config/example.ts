/** A config file to start from. */
import type { ExporterType } from "../exporter.ts";

const HEAD = `\
# A config file of tcpspan: sudo deno run -A mod.ts --config tcpspan.yaml
#
# Durations are 500ms, 30s, 1h30m; sizes 256KiB, 16MiB. In values, \${env:NAME} and
# \${env:NAME:-default} come from the environment, and $$ is a dollar. What is left
# out has the value shown here, except for the exporters: only those that are named
# are used.
# For editors: tcpspan config schema > tcpspan.schema.json, then
# yaml-language-server: $schema=tcpspan.schema.json

# Which sessions are traced. Empty lists let all through.
capture:
  pids: []                      # at most 64; like -p
  local_ports: []               # like -L
  remote_ports: []              # like -D
  families: [ipv4, ipv6]        # like -4, -6
  include_cidrs: []             # only peers in these networks, such as 10.0.0.0/8
  exclude_cidrs: []             # no peers in these; wins over include_cidrs
  exclude_executables: []       # no sessions of these, such as [node_exporter, sshd]
  exclude_cgroups: []           # nor of these and below, such as /system.slice/nginx.service
  min_bytes: 0B                 # payload, both directions
  min_duration: 0s
  max_sessions_per_second: 0    # the excess is dropped and counted; 0: no cap
  ring_buffer: 16MiB            # power of two; a larger one holds longer bursts
  existing: true                # sessions that were open before the start, too
  interim: off                  # 30s: report open sessions every 30 s
  report_open_on_exit: false    # report what is still open when tcpspan stops
  own_traffic: false            # tcpspan's own sessions, such as its exports
  pin: off                      # /sys/fs/bpf/tcpspan: keep recording while tcpspan restarts

# Which of them are kept: the same at both ends, and on all hosts with the same ratio.
sampling:
  ratio: 1                      # 0.1: one in ten, and ot=th:… in the trace state
  keep_errors: false            # all failures, whatever the ratio

# What describes the observed processes.
resource:
  attributes: {}                # on every span, e.g. { deployment.environment.name: prod }
  command_line: false           # process.command_line may hold secrets
  from_process_env: false       # service.name from the process's own OTEL_SERVICE_NAME

# How the two ends of a session find each other.
trace:
  parent: auto                  # server spans under the client's: auto | always | never
  peers: []                     # networks whose hosts run tcpspan too
  key: "\${env:TCPSPAN_KEY:-}"   # secret of the trace ids, the same on all hosts of a site

# How long a stop waits for exporters to deliver what waits. What is left stays in the exporter's
# storage; without one it is lost, and counted.
shutdown_timeout: 5s
# Once tracing has begun, give up for good the privileges to load kernel programs, to start
# programs, and more that only an intruder can use. A change of capture then needs a restart.
drop_privileges: false
# How tcpspan reports its own health, besides SIGUSR2: each of these is off if it is left out.
telemetry:
  # otlp:                       # metrics to the receiver of an otlp exporter
  #   exporter: otlp/jaeger     # not needed if there is only one
  #   interval: 60s
  # prometheus:                 # metrics on http://127.0.0.1:9464/metrics, only for this host
  #   listen: 127.0.0.1:9464

# Where sessions go: ids are type or type/name, in any number.
exporters:
`;

/** A config file with every key explained; values are the defaults, if there are any. */
export async function loadExample(types: readonly ExporterType<unknown>[]): Promise<string> {
  const examples = await Promise.all(types.map((type) => type.loadExample()));
  return HEAD + examples.join("\n");
}

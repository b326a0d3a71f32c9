/**
 * What the sections of the config file hold by default. Apart from the schema, which takes its
 * defaults from here, so that a run without a config need not load it.
 */

import { DEFAULT_RING_BUFFER } from "../capture/capture_options.ts";

/** `shutdown_timeout`, milliseconds. */
export const SHUTDOWN_TIMEOUT = 5000;

/** `capture` */
export const CAPTURE = {
  pids: [],
  local_ports: [],
  remote_ports: [],
  families: ["ipv4", "ipv6"] as ("ipv4" | "ipv6")[],
  include_cidrs: [],
  exclude_cidrs: [],
  exclude_executables: [],
  exclude_cgroups: [],
  min_bytes: 0,
  min_duration: 0, // milliseconds
  max_sessions_per_second: 0,
  ring_buffer: DEFAULT_RING_BUFFER, // bytes
  existing: true,
  interim: "off" as const,
  report_open_on_exit: false,
  own_traffic: false,
  pin: "off" as const,
};

/** `sampling` */
export const SAMPLING = {
  ratio: 1,
  keep_errors: false,
};

/** `resource` */
export const RESOURCE = {
  attributes: {},
  command_line: false,
  from_process_env: false,
};

/** `drop_privileges` */
export const DROP_PRIVILEGES = false;

/** `trace` */
export const TRACE = {
  parent: "auto" as const,
  peers: [],
  key: "",
};

/** `telemetry`, in the file's own form; it is off if the file leaves it out. */
export const METRICS = {
  interval: "60s",
  listen: "127.0.0.1:9464",
};

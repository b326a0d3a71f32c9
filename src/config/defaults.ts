/**
 * What the sections of the config file hold where it says nothing. Apart from the schema, which has
 * its defaults from here, so that a run without a config need not load it.
 */

/** `capture` */
export const CAPTURE = {
  pids: [],
  local_ports: [],
  remote_ports: [],
  families: ["ipv4", "ipv6"] as ("ipv4" | "ipv6")[],
  include_cidrs: [],
  exclude_cidrs: [],
  ring_buffer: 16 * 2 ** 20, // bytes
  existing: true,
  interim: "off" as const,
  report_open_on_exit: false,
};

/** `resource` */
export const RESOURCE = {
  attributes: {},
  command_line: false,
  from_process_env: false,
};

/** `trace` */
export const TRACE = {
  parent: "auto" as const,
  peers: [],
  key: "",
};

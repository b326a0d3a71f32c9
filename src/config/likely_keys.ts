/** What somebody may have meant by a key that the schema does not have. */
import * as z from "../../vendor/zod.js";
import { nearest } from "../messages/nearest.ts";

/** Keys of other tools, and ours for them. */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  ca: ["ca_file"],
  cafile: ["ca_file"],
  cacert: ["ca_file"],
  cert: ["cert_file"],
  certificate: ["cert_file", "ca_file"],
  key: ["key_file"],
  skipverify: ["insecure_skip_verify"],
  verify: ["insecure_skip_verify"],
  url: ["endpoint"],
  uri: ["endpoint"],
  host: ["endpoint", "listen"],
  address: ["endpoint", "listen"],
  server: ["endpoint"],
  target: ["endpoint"],
  tracesendpoint: ["traces_endpoint"],
  auth: ["headers"],
  token: ["headers"],
  bearertoken: ["headers"],
  authorization: ["headers"],
  ssl: ["tls"],
  retry: ["retry_on_failure"],
  queue: ["sending_queue"],
  batch: ["sending_queue"],
  size: ["queue_size", "max_bytes"],
  capacity: ["queue_size"],
  maxqueuesize: ["queue_size"],
  consumers: ["num_consumers"],
  filename: ["path"],
  file: ["path"],
  output: ["path"],
  maxsize: ["max_megabytes", "queue_size"],
  maxage: ["max_days"],
  rate: ["ratio"],
  probability: ["ratio"],
  percentage: ["ratio"],
  samplingratio: ["ratio"],
  port: ["listen", "remote_ports"],
  ports: ["remote_ports"],
  peerports: ["remote_ports"],
  lport: ["local_ports"],
  rport: ["remote_ports"],
  sport: ["local_ports"],
  dport: ["remote_ports"],
  servicename: ["attributes"],
  labels: ["attributes"],
  tags: ["attributes"],
  buffersize: ["ring_buffer"],
  interval: ["interim"],
};

const PIPELINES = "there are no pipelines: sessions go to everything under exporters";
const LEVELS = "messages have no levels; the flag --log-format sets their format";

/** Keys for which another one alone does not do. */
const ADVICE: Readonly<Record<string, string>> = {
  insecure: "an endpoint that begins with http:// is not encrypted; " +
    "insecure_skip_verify in tls accepts any certificate",
  service: PIPELINES,
  pipelines: PIPELINES,
  receivers: PIPELINES,
  processors: PIPELINES,
  extensions: PIPELINES,
  connectors: PIPELINES,
  loglevel: LEVELS,
  logging: LEVELS,
  verbose: LEVELS,
};

/** The section that has a key, such as `exporters.otlp` for `endpoint`; undefined if none or several. */
export type KeyHome = (key: string) => string | undefined;

/** @param sections schemas of mappings, by the paths of their keys */
export function keyHomes(sections: Readonly<Record<string, z.ZodType>>): KeyHome {
  const keys = Object.entries(sections).map(([section, schema]) => ({
    section,
    keys: Object.keys(
      z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }).properties ?? {},
    ),
  }));
  return (key) => {
    const name = nearest(key, keys.flatMap(({ keys }) => keys));
    const [home, ...others] = keys.filter(({ keys }) => name !== undefined && keys.includes(name));
    return others.length === 0 ? home?.section : undefined;
  };
}

/**
 * The start of what is expected in place of an unknown key: a question or advice; empty if nothing
 * is known.
 * @param known the keys that are allowed there
 */
export function hintAtKey(key: string, known: readonly string[], homeOf: KeyHome): string {
  const [first = "", ...rest] = key.split(".");
  const folded = key.toLowerCase().replaceAll(/[-_.\s]/g, "");
  const last = rest.at(-1) ?? folded;
  if (Object.hasOwn(ADVICE, last)) return `${ADVICE[last]}; `;
  const near = nearest(key, known) ?? otherName(folded, known);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}? `;
  if (rest.length > 0 && known.includes(first)) {
    return `did you mean ${JSON.stringify(`${first}: { ${rest.join(".")}: … }`)}? `;
  }
  const home = homeOf(key);
  return home === undefined ? "" : `did you mean it under ${home}? `;
}

function otherName(folded: string, known: readonly string[]): string | undefined {
  const names = Object.hasOwn(OTHER_NAMES, folded) ? OTHER_NAMES[folded] : undefined;
  return names?.find((name) => known.includes(name));
}

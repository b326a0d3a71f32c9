/** What the kernel program gets of a capture's options. */
import type { BpfObject } from "../../ffi/bpf_object.ts";
import { type CaptureOptions, DEFAULT_RING_BUFFER } from "./capture_options.ts";
import { ExcludedCgroups } from "./excluded_cgroups.ts";
import { namespaceOf } from "../host/procfs.ts";
import { LIMIT, NETWORK_KEY, NETWORKS, RODATA, TEXT_LENGTH } from "../session/record_layout.ts";
import { type SamplingOptions, threshold, thresholdText } from "../ids/sampling.ts";

const AF: Record<"ipv4" | "ipv6", number> = { ipv4: 2, ipv6: 10 };
const IN_MAP = Uint8Array.of(1);

type Bytes = Uint8Array<ArrayBuffer>;

/** The settings in `.rodata`, and the maps that options fill. */
export class KernelSettings {
  readonly #options: CaptureOptions;
  readonly #samplingKey: Bytes;
  readonly #networks: readonly Bytes[];

  private constructor(options: CaptureOptions, samplingKey: Bytes, networks: readonly Bytes[]) {
    this.#options = options;
    this.#samplingKey = samplingKey;
    this.#networks = networks;
  }

  /** Loads only the modules that these options need. */
  static async of(options: CaptureOptions): Promise<KernelSettings> {
    return new KernelSettings(options, await samplingKey(options), await networkKeys(options));
  }

  /** Writes what the verifier sees, and makes room for the rest. @throws {RangeError} */
  writeBeforeLoad(object: BpfObject, generation: bigint): void {
    const { ringBuffer = DEFAULT_RING_BUFFER, excludeExecutables = [], excludeCgroups = [] } =
      this.#options;
    const resize = (map: string, entries: number) =>
      object.setMaxEntries(map, Math.max(1, entries));
    object.setMaxEntries("ring", ringBuffer);
    resize("networks", this.#networks.length);
    resize("excluded_executables", excludeExecutables.length);
    resize("excluded_cgroups", excludeCgroups.length);
    const rodata = new DataView(object.initialValues(".rodata"));
    writeFilters(rodata, this.#options);
    this.#samplingKey.forEach((byte, i) => rodata.setUint8(RODATA.trace_key + i, byte));
    rodata.setBigUint64(RODATA.generation, generation, true);
    rodata.setUint8(RODATA.own_traffic, this.#options.ownTraffic === false ? 0 : 1);
    rodata.setUint32(RODATA.own_pid, Deno.pid, true);
    rodata.setUint32(RODATA.pid_namespace, namespaceOf("self", "pid"), true);
  }

  /** Fills the maps. */
  writeAfterLoad(object: BpfObject): void {
    for (const key of this.#networks) object.updateMap("networks", key, IN_MAP);
    for (const name of this.#options.excludeExecutables ?? []) {
      const key = new Uint8Array(TEXT_LENGTH.exe);
      key.set(new TextEncoder().encode(name).subarray(0, TEXT_LENGTH.exe - 1)); // cut as it is there
      object.updateMap("excluded_executables", key, IN_MAP);
    }
  }
}

/** Keeps the map of excluded cgroups, which come and go. */
export function excludeCgroups(object: BpfObject, paths: readonly string[]): ExcludedCgroups {
  const key = (id: bigint) => new Uint8Array(BigUint64Array.of(id).buffer);
  return new ExcludedCgroups(paths, {
    add: (id) => object.updateMap("excluded_cgroups", key(id), IN_MAP),
    remove: (id) => object.deleteFromMap("excluded_cgroups", key(id)),
  });
}

function writeFilters(rodata: DataView, options: CaptureOptions): void {
  const pids = options.pids ?? [];
  if (pids.length > LIMIT.pids) {
    throw new RangeError(
      `cannot filter by ${pids.length} pids: at most ${LIMIT.pids} are possible`,
    );
  }
  rodata.setUint32(RODATA.filter_pid_count, pids.length, true);
  pids.forEach((pid, i) => rodata.setUint32(RODATA.filter_pids + 4 * i, pid, true));
  writePorts(rodata, RODATA.filter_local_ports, RODATA.local_ports, options.localPorts);
  writePorts(rodata, RODATA.filter_peer_ports, RODATA.peer_ports, options.remotePorts);
  const [family, other] = new Set(options.families);
  if (family !== undefined && other === undefined) {
    rodata.setUint16(RODATA.filter_family, AF[family], true);
  }
  rodata.setUint8(RODATA.include_networks, isFull(options.includeCidrs));
  rodata.setUint8(RODATA.exclude_networks, isFull(options.excludeCidrs));
  rodata.setUint8(RODATA.exclude_executables, isFull(options.excludeExecutables));
  rodata.setUint8(RODATA.exclude_cgroups, isFull(options.excludeCgroups));
  rodata.setBigUint64(RODATA.min_bytes, BigInt(options.minBytes ?? 0), true);
  const minDurationNs = BigInt(options.minDuration ?? 0) * 1_000_000n;
  rodata.setBigUint64(RODATA.min_duration_ns, minDurationNs, true);
  rodata.setBigUint64(RODATA.most_per_second, BigInt(options.maxSessionsPerSecond ?? 0), true);
  if (options.sampling !== undefined) writeSampling(rodata, options.sampling);
  rodata.setUint8(RODATA.report_existing, options.existing === false ? 0 : 1);
  rodata.setBigUint64(RODATA.interim_ns, BigInt(options.interim ?? 0) * 1_000_000n, true);
}

function writePorts(
  rodata: DataView,
  enabled: number,
  bitmap: number,
  ports: readonly number[] | undefined,
): void {
  if (ports === undefined || ports.length === 0) return;
  rodata.setUint8(enabled, 1);
  for (const port of ports) {
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new RangeError(`cannot filter by port ${port}: ports are 0 to 65535`);
    }
    const at = bitmap + (port >> 3);
    rodata.setUint8(at, rodata.getUint8(at) | 1 << (port & 7));
  }
}

function writeSampling(rodata: DataView, { ratio, keepErrors }: SamplingOptions): void {
  rodata.setUint8(RODATA.sampling, 1);
  rodata.setUint8(RODATA.keep_errors, keepErrors === true ? 1 : 0);
  rodata.setBigUint64(RODATA.sampling_threshold, threshold(thresholdText(ratio)), true);
}

function isFull(list: readonly unknown[] | undefined): 0 | 1 {
  return list === undefined || list.length === 0 ? 0 : 1;
}

/** The key of the trace ids that decide; empty without sampling. */
async function samplingKey({ sampling }: CaptureOptions): Promise<Bytes> {
  if (sampling === undefined) return new Uint8Array();
  const { hashKey } = await import("../ids/hash_key.ts");
  return hashKey(sampling.key ?? "");
}

/** `struct network_key` of each network that is included or excluded. */
async function networkKeys(
  { includeCidrs = [], excludeCidrs = [] }: CaptureOptions,
): Promise<readonly Bytes[]> {
  if (includeCidrs.length + excludeCidrs.length === 0) return [];
  const { parseNetwork } = await import("../net/cidr.ts");
  const keyIn = (list: number) => (cidr: string): Bytes => {
    const { family, bytes, prefix } = parseNetwork(cidr);
    const key = new Uint8Array(NETWORK_KEY.size);
    const view = new DataView(key.buffer);
    const head = (NETWORK_KEY.address - NETWORK_KEY.list) * 8; // bits that must be the same
    view.setUint32(NETWORK_KEY.prefix_length, head + prefix, true);
    view.setUint16(NETWORK_KEY.list, list, true);
    view.setUint16(NETWORK_KEY.family, AF[family], true);
    key.set(bytes, NETWORK_KEY.address);
    return key;
  };
  return [
    ...includeCidrs.map(keyIn(NETWORKS.INCLUDED)),
    ...excludeCidrs.map(keyIn(NETWORKS.EXCLUDED)),
  ];
}

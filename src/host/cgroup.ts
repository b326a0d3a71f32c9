/** The container, pod or service that the path of a cgroup names. */

/** Names found in a cgroup path. */
export interface CgroupNames {
  /**
   * As the runtime gives it: 64 hex digits, on AWS Fargate `<32 hex digits>-<number>`, a UUID in
   * Garden and Mesos.
   */
  readonly containerId: string | undefined;
  /** A UUID; of a static pod the hash of its manifest, 32 hex digits. */
  readonly podUid: string | undefined;
  /** systemd unit without `.service`, only of the system's own services. */
  readonly service: string | undefined;
}

// A folder is named by its runtime: ID, docker-ID.scope, cri-containerd-ID.scope, crio-ID,
// libpod-ID.scope, libpod-payload-ID, or POD.slice:cri-containerd:ID
const CONTAINER = /^(?:(.*)[:-])?([0-9a-f]{64})(?:\.scope)?$/;
const FARGATE = /^[0-9a-f]{32}-[0-9]{1,20}$/;
const SHORT_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){4}$/; // Cloud Foundry's Garden
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const AROUND_UUIDS = /^(?:garden(?:-.*)?|good|bad|mesos)$/; // folders of containers
// kubelet: podUID, or kubepods-burstable-podUID.slice with _ for -
const POD =
  /(?:^|-)pod([0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?=:|$)/;
// systemd.unit(5); cg_escape() of systemd puts _ before names that the kernel might want
const SERVICE = /^_?([\w:.\\-]+(?:@[\w:.\\@-]+)?)\.service$/;
const SCHEDULERS = /^(?:anacron|atd|cron|crond|cronie)$/; // what they run is not part of them

/** Reads the names from `/proc/PID/cgroup`. */
export function parseCgroups(text: string): CgroupNames {
  const lines = text.split("\n").map((line) => line.split(":"));
  const read = (of: typeof lines) => of.map((fields) => namesOf(fields.slice(2).join(":")));
  const all = read(lines);
  const inContainer = all.filter(({ containerId }) => containerId !== undefined);
  const contained = inContainer.find(({ podUid }) => podUid !== undefined) ?? inContainer[0];
  const systemd = lines.filter(([id, controllers]) => id === "0" || controllers === "name=systemd");
  // a path without the container, in another hierarchy, is that of its runtime
  const own = contained !== undefined ? inContainer : systemd.length > 0 ? read(systemd) : all;
  return {
    containerId: contained?.containerId,
    podUid: contained?.podUid ?? all.find(({ podUid }) => podUid !== undefined)?.podUid,
    service: own.find(({ service }) => service !== undefined)?.service,
  };
}

/** Reads the names of the cgroup v2 hierarchy only, to which cgroup ids belong. */
export function parseCgroup2(text: string): CgroupNames {
  return parseCgroups(/^0::.*$/m.exec(text)?.[0] ?? "");
}

/** Walks down a path: of containers the outermost counts, of services the innermost. */
function namesOf(path: string): CgroupNames {
  let containerId: string | undefined;
  let podUid: string | undefined;
  let service: string | undefined;
  let isUsers = false; // within a user's slice, whose services are not the system's
  let parent = "";
  // the kernel adds that to the path of a process that outlives its cgroup
  for (const name of path.replace(/ \(deleted\)$/, "").split("/")) {
    if (podUid === undefined) {
      podUid = POD.exec(name)?.[1]?.replaceAll("_", "-");
      if (podUid !== undefined) containerId = undefined; // that is the node, itself a container
    }
    const id = containerIdOf(name, parent);
    containerId ??= id;
    if (isPayload(name, parent) || id !== undefined && !name.startsWith("libpod-payload-")) {
      service = undefined; // it is the runtime's
      isUsers = false;
    } else if (name === "user.slice" || /^user@.*\.service$/.test(name)) {
      service = undefined;
      isUsers = true;
    } else if (name.endsWith(".scope")) {
      service = undefined; // a unit too: a login session, a machine, systemd itself
    } else if (!isUsers) {
      service = serviceOf(name, service);
    }
    parent = name;
  }
  return { containerId, podUid, service };
}

function containerIdOf(name: string, parent: string): string | undefined {
  const [, runtime, id] = CONTAINER.exec(name) ?? [];
  if (id !== undefined) {
    if (runtime?.includes("conmon")) return undefined; // what watches it, outside of it
    if (runtime === undefined && parent === "libpod_parent") return undefined; // Podman's pod
    return id;
  }
  const isId = FARGATE.test(name) || SHORT_UUID.test(name) ||
    UUID.test(name) && AROUND_UUIDS.test(parent);
  return isId ? name : undefined;
}

/** Whether LXC, LXD or Incus runs a container of this name there. */
function isPayload(name: string, parent: string): boolean {
  return name.startsWith("lxc.payload") || parent === "lxc";
}

/** @param outer the service of the folder around it */
function serviceOf(name: string, outer: string | undefined): string | undefined {
  const unit = SERVICE.exec(name)?.[1] ?? outer;
  return unit !== undefined && SCHEDULERS.test(unit) ? undefined : unit;
}

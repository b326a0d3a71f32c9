/** The container, pod or service that the path of a cgroup names. */

/** Names found in a cgroup path. */
export interface CgroupNames {
  /** 64 hex digits, as container runtimes give them. */
  readonly containerId: string | undefined;
  readonly podUid: string | undefined;
  /** systemd unit without `.service`, only of the system's own services. */
  readonly service: string | undefined;
}

// Docker, containerd, CRI-O and Podman: …/docker/ID, …/docker-ID.scope, cri-containerd-ID.scope,
// crio-ID.scope, libpod-ID.scope, followed by /container or the like
const CONTAINER = /(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?=\/|$)/;
// kubelet: /kubepods/burstable/podUID/… or …-podUID.slice with _ for -
const POD = /pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})/;
const SERVICE = /\/([^/]+)\.service(?=\/|$)/;

/** Reads the names from `/proc/PID/cgroup`. */
export function parseCgroups(text: string): CgroupNames {
  const paths = text.split("\n").map((line) => line.split(":").slice(2).join(":"));
  const containerId = first(paths, CONTAINER);
  // a path without the container, in another hierarchy, is that of its runtime
  const own = containerId === undefined ? paths : paths.filter((path) => CONTAINER.test(path));
  return {
    containerId,
    podUid: first(paths, POD)?.replaceAll("_", "-"),
    service: first(own.map(ownPart), SERVICE),
  };
}

/** Reads the names of the cgroup v2 hierarchy only, to which cgroup ids belong. */
export function parseCgroup2(text: string): CgroupNames {
  return parseCgroups(/^0::.*$/m.exec(text)?.[0] ?? "");
}

/** The part in which a service may be the process's own: a container lies under its runtime's. */
function ownPart(path: string): string {
  const container = CONTAINER.exec(path);
  if (container !== null) return path.slice(container.index + container[0].length);
  return path.startsWith("/user.slice") || /\/cron\.service(\/|$)/.test(path) ? "" : path;
}

function first(paths: readonly string[], pattern: RegExp): string | undefined {
  for (const path of paths) {
    const match = pattern.exec(path)?.[1];
    if (match !== undefined) return match;
  }
  return undefined;
}

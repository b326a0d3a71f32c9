/** Processes in containers, pods and services, as their cgroups show. */
import type { Actor } from "../../../kernel/actor.ts";
import type { Case, CgroupTruth, ExpectedEnd } from "../../case.ts";
import { hasHierarchy } from "../../cgroup.ts";
import type { Session, Stage } from "../../stage.ts";
import { talk } from "./talk.ts";

/** A cgroup by its path below the root, and what the path says. */
interface Place {
  readonly name: string;
  readonly path: (ids: Ids) => string;
  readonly truth: (ids: Ids) => CgroupTruth;
}

/** Ids that no other case has. */
interface Ids {
  /** The container's id. */
  readonly id: string;
  /** The pod's uid. */
  readonly pod: string;
  /** The case's own name. */
  readonly own: string;
}

const container = ({ id }: Ids) => ({ container: id });
const inPod = ({ id, pod }: Ids) => ({ container: id, pod });
const service = ({ own }: Ids) => ({ service: own });
const nothing = () => ({});

const PLACES: readonly Place[] = [
  { name: "Docker, cgroupfs driver", path: ({ id }) => `/docker/${id}`, truth: container },
  {
    name: "Docker, systemd driver",
    path: ({ id }) => `/system.slice/docker-${id}.scope`,
    truth: container,
  },
  {
    name: "Podman",
    path: ({ id }) => `/machine.slice/libpod-${id}.scope/container`,
    truth: container,
  },
  {
    name: "rootless Podman",
    path: ({ id, own }) =>
      `/user.slice/user-1000.slice/user@1000.service/user.slice/${own}.slice/libpod-${id}.scope`,
    truth: container,
  },
  {
    name: "a pod of Podman",
    path: ({ id }) => {
      const podman = id.split("").reverse().join("");
      return `/machine.slice/machine-libpod_pod_${podman}.slice/libpod-${id}.scope/container`;
    },
    truth: container,
  },
  {
    name: "Kubernetes, containerd, systemd driver",
    path: ({ id, pod }) => `${kubepods("kubepods", "burstable", pod)}/cri-containerd-${id}.scope`,
    truth: inPod,
  },
  {
    name: "Kubernetes in Docker (kind)",
    path: ({ id, pod }) =>
      `/kubelet.slice${kubepods("kubelet-kubepods", "besteffort", pod)}/cri-containerd-${id}.scope`,
    truth: inPod,
  },
  {
    name: "Kubernetes, containerd, cgroupfs driver",
    path: ({ id, pod }) => `/kubepods/burstable/pod${pod}/${id}`,
    truth: inPod,
  },
  {
    name: "Kubernetes, containerd under its own service",
    path: ({ id, pod }) =>
      `/system.slice/containerd.service/kubepods-pod${underscored(pod)}.slice:cri-containerd:${id}`,
    truth: inPod,
  },
  {
    name: "Kubernetes, CRI-O, systemd driver",
    path: ({ id, pod }) => `${kubepods("kubepods", "besteffort", pod)}/crio-${id}.scope`,
    truth: inPod,
  },
  {
    name: "Kubernetes, CRI-O, cgroupfs driver",
    path: ({ id, pod }) => `/kubepods/pod${pod}/crio-${id}`,
    truth: inPod,
  },
  {
    name: "a systemd service",
    path: ({ own }) => `/system.slice/${own}.service`,
    truth: service,
  },
  {
    name: "an instance of a systemd service, in a slice and with a cgroup of its own",
    path: ({ own }) => `/system.slice/system-${own}.slice/${own}@15-main.service/worker`,
    truth: ({ own }) => ({ service: `${own}@15-main` }),
  },
  {
    name: "a systemd service in a container",
    path: ({ id, own }) => `/system.slice/docker-${id}.scope/system.slice/${own}.service`,
    truth: (ids) => ({ ...container(ids), ...service(ids) }),
  },
  {
    name: "a user's own service",
    path: ({ own }) => `/user.slice/user-1000.slice/user@1000.service/app.slice/app-${own}.service`,
    truth: nothing,
  },
  {
    name: "a login session",
    path: ({ own }) => `/user.slice/user-1000.slice/session-${own}.scope`,
    truth: nothing,
  },
  {
    name: "a job of cron",
    path: ({ own }) => `/system.slice/cron.service/${own}`,
    truth: nothing,
  },
];

/** A controller of cgroup v1: any of them shows the container. */
const CONTROLLER = "pids";

export const CONTAINERS: Case[] = [
  ...PLACES.flatMap(({ name, path, truth }): Case[] => [
    {
      name: `a live process of: ${name}`,
      section: "places",
      act: async (stage) => {
        const ids = newIds();
        const session = await between(stage, stage.cgroup(path(ids)));
        return talk(session, { client: { cgroup: truth(ids) } });
      },
    },
    {
      name: `a process that is gone when it is first reported, of: ${name}`,
      section: "places",
      act: async (stage) => {
        const ids = newIds();
        return die(stage, await between(stage, stage.cgroup(path(ids))), truth(ids));
      },
    },
  ]),
  {
    name: "two processes that are gone, of containers made one just after the other",
    section: "places",
    act: async (stage) => {
      const [first, second] = [newIds(), newIds()];
      const a = await between(stage, stage.cgroup(`/docker/${first.id}`));
      const ends = await die(stage, a, container(first));
      const b = await between(stage, stage.cgroup(`/docker/${second.id}`));
      return [...ends, ...await die(stage, b, container(second), "second client")];
    },
  },
  ...onV1("a live process in a container of cgroup v1", async (stage) => {
    const { id } = newIds();
    const session = await between(stage, stage.cgroup(`/docker/${id}`, CONTROLLER));
    return talk(session, { client: { cgroup: { container: id } } });
  }),
  ...onV1("a live process of a pod of cgroup v1", async (stage) => {
    const { id, pod } = newIds();
    const folder = stage.cgroup(`/kubepods/burstable/pod${pod}/${id}`, CONTROLLER);
    return talk(await between(stage, folder), { client: { cgroup: { container: id, pod } } });
  }),
  ...onV1("a container of cgroup v1, whose runtime's service it is in by v2", async (stage) => {
    const { id, own } = newIds();
    const session = await between(
      stage,
      stage.cgroup(`/docker/${id}`, CONTROLLER),
      stage.cgroup(`/system.slice/containerd-${own}.service`),
    );
    return talk(session, { client: { cgroup: { container: id } } });
  }),
  ...onV1("a live process of a systemd service of cgroup v1", async (stage) => {
    const { own } = newIds();
    const folder = stage.cgroup(`/system.slice/${own}.service`, "name=systemd");
    return talk(await between(stage, folder), { client: { cgroup: { service: own } } });
  }),
  ...onV1("a container of cgroup v1, and a process outside of it that is gone", async (stage) => {
    const { id, own } = newIds();
    const both = stage.cgroup(`/${own}`); // Docker with cgroup v1 leaves v2 to its own service
    const inside = await between(stage, both, stage.cgroup(`/docker/${id}`, CONTROLLER));
    const first = await talk(inside, { client: { cgroup: { container: id } } });
    const outside = await between(stage, both);
    return [...first, ...await die(stage, outside, {}, "client outside")];
  }),
];

function onV1(name: string, act: (stage: Stage) => Promise<ExpectedEnd[]>): Case[] {
  if (hasHierarchy(CONTROLLER) && hasHierarchy("name=systemd")) {
    return [{ name, section: "places", act }];
  }
  return [{ name, section: "places", impossible: "this host has no hierarchies of cgroup v1" }];
}

/** A session whose client is in these cgroups. */
async function between(stage: Stage, ...cgroup: readonly string[]): Promise<Session> {
  const actor: Actor = await stage.actor("near", { comm: "truth-client", cgroup });
  return stage.join(await stage.client({ actor }), await stage.listen());
}

/** The client is killed, and its socket ends when the process is gone. */
async function die(
  stage: Stage,
  { client, server }: Session,
  cgroup: CgroupTruth,
  what = client.what,
): Promise<ExpectedEnd[]> {
  await client.transfer(1000);
  await stage.cut("near"); // its FIN arrives, the answer does not
  await client.kill();
  await server.receiveFin();
  await stage.mend("near");
  await server.close();
  return [
    client.ended("fin_wait2", "local", "fin", { what, cgroup, retransmits: [0, 6] }),
    server.ended("last_ack", "peer", "fin", { retransmits: [0, 6] }),
  ];
}

function newIds(): Ids {
  const id = crypto.getRandomValues(new Uint8Array(32)).toHex();
  return { id, pod: crypto.randomUUID(), own: `truth${id.slice(0, 8)}` };
}

function kubepods(slice: string, quality: string, pod: string): string {
  const inQuality = `${slice}-${quality}`;
  return `/${slice}.slice/${inQuality}.slice/${inQuality}-pod${underscored(pod)}.slice`;
}

/** Escapes `-`, which for systemd separates levels of slices. */
function underscored(pod: string): string {
  return pod.replaceAll("-", "_");
}

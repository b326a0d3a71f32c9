import { strict as assert } from "node:assert";
import { type CgroupNames, parseCgroups } from "../../src/host/cgroup.ts";

const ID = "3f7a1c0d9e8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f";
const OTHER_ID = "0".repeat(64);
const POD = "8a5b0c1e-3a7f-4b52-9f3e-0d2c4b6a8e10";
const POD_ = POD.replaceAll("-", "_");
const OTHER_POD = "00000000-1111-2222-3333-444444444444";
const HASH = "b53dfa9e2dc9b890f7fadb2770857b03";
const GUID = "0d233f08-00c2-43d8-5b57-2c2af4f5bfc0";

interface Case {
  readonly name: string;
  readonly text: string;
  readonly container?: string;
  readonly pod?: string;
  readonly service?: string;
}

/** By who makes the cgroup, each with where its form is documented. */
const CASES: Readonly<Record<string, readonly Case[]>> = {
  "the kernel: cgroups(7)": [
    { name: "the root", text: "0::/\n" },
    { name: "nothing", text: "" },
    {
      name: "a process that outlives its cgroup",
      text: "0::/system.slice/nginx.service (deleted)\n",
      service: "nginx",
    },
    {
      name: "a container that was removed",
      text: `0::/system.slice/docker-${ID}.scope (deleted)\n`,
      container: ID,
    },
    {
      name: "a cgroup outside of the reader's cgroup namespace",
      text: "0::/../../system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "a container beside the reader's",
      text: `0::/../cri-containerd-${ID}.scope\n`,
      container: ID,
    },
    { name: "a login session beside the reader's", text: "0::/../session-3.scope\n" },
    {
      name: "a user's slice outside of the reader's cgroup namespace",
      text: "0::/../../user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n",
    },
  ],

  "Docker: dockerd(8), --cgroup-parent and native.cgroupdriver": [
    { name: "cgroupfs, v2", text: `0::/docker/${ID}\n`, container: ID },
    { name: "systemd, v2", text: `0::/system.slice/docker-${ID}.scope\n`, container: ID },
    {
      name: "cgroupfs, v1",
      text: `12:pids:/docker/${ID}\n11:memory:/docker/${ID}\n1:name=systemd:/docker/${ID}\n0::/\n`,
      container: ID,
    },
    { name: "another parent", text: `0::/docker-ce/docker/${ID}\n`, container: ID },
    { name: "the root as the parent", text: `4:memory:/${ID}\n0::/\n`, container: ID },
    {
      name: "rootless",
      text: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/" +
        `docker-${ID}.scope\n`,
      container: ID,
    },
    {
      name: "a container in a container: the outer one, which the host knows",
      text: `0::/docker/${ID}/docker/${OTHER_ID}\n`,
      container: ID,
    },
    {
      name: "the same with systemd",
      text: `0::/system.slice/docker-${ID}.scope/system.slice/docker-${OTHER_ID}.scope\n`,
      container: ID,
    },
    {
      name: "systemd in a container",
      text: `0::/system.slice/docker-${ID}.scope/init.scope\n`,
      container: ID,
    },
    {
      name: "a service of a systemd in a container",
      text: `0::/system.slice/docker-${ID}.scope/system.slice/nginx.service\n`,
      container: ID,
      service: "nginx",
    },
    {
      name: "a login session in a container",
      text: `0::/docker/${ID}/user.slice/user-0.slice/user@0.service/app.slice/x.service\n`,
      container: ID,
    },
    {
      name: "a job of cron in a container",
      text: `0::/docker/${ID}/system.slice/cron.service\n`,
      container: ID,
    },
    {
      name: "a mount of a container, which is none",
      text: `0::/system.slice/var-lib-docker-overlay2-${ID}-merged.mount\n`,
    },
    { name: "an id that is too short", text: `0::/docker/${ID.slice(1)}\n` },
    { name: "an id that is too long", text: `0::/docker/${ID}a\n` },
    {
      name: "the short form of an id, which no cgroup has",
      text: `0::/docker/${ID.slice(0, 12)}\n`,
    },
    { name: "an id in upper case", text: `0::/docker/${ID.toUpperCase()}\n` },
  ],

  "Podman: podman-run(1), --cgroups; podman-systemd.unit(5)": [
    {
      name: "systemd, v2",
      text: `0::/machine.slice/libpod-${ID}.scope/container\n`,
      container: ID,
    },
    { name: "its monitor", text: `0::/machine.slice/libpod-conmon-${ID}.scope\n` },
    {
      name: "a pod",
      text: `0::/machine.slice/machine-libpod_pod_${OTHER_ID}.slice/libpod-${ID}.scope\n`,
      container: ID,
    },
    { name: "cgroupfs", text: `0::/libpod_parent/libpod-${ID}\n`, container: ID },
    {
      name: "a pod, cgroupfs",
      text: `0::/libpod_parent/${OTHER_ID}/libpod-${ID}\n`,
      container: ID,
    },
    { name: "a monitor, cgroupfs", text: "0::/libpod_parent/conmon\n" },
    {
      name: "rootless",
      text: `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope\n`,
      container: ID,
    },
    {
      name: "--cgroups=split: the container is the unit's",
      text: `0::/system.slice/nginx.service/libpod-payload-${ID}\n`,
      container: ID,
      service: "nginx",
    },
    {
      name: "the monitor of --cgroups=split",
      text: "0::/system.slice/nginx.service/runtime\n",
      service: "nginx",
    },
    {
      name: "--cgroups=split of a user",
      text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/redis.service/" +
        `libpod-payload-${ID}\n`,
      container: ID,
    },
  ],

  "Kubernetes: kubelet, cm/cgroup_manager_linux.go; kubernetes#67537 for static pods": [
    {
      name: "containerd, systemd, v2",
      text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD_}.slice/` +
        `cri-containerd-${ID}.scope\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "CRI-O, systemd",
      text: `0::/kubepods.slice/kubepods-pod${POD_}.slice/crio-${ID}.scope\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "CRI-O with crun",
      text: `0::/kubepods.slice/kubepods-pod${POD_}.slice/crio-${ID}.scope/container\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "CRI-O's monitor, cri-o internal/config/cgmgr",
      text: `0::/kubepods.slice/kubepods-pod${POD_}.slice/crio-conmon-${ID}.scope\n`,
      pod: POD,
    },
    {
      name: "CRI-O, cgroupfs",
      text: `0::/kubepods/pod${POD}/crio-${ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "CRI-O's monitor, cgroupfs",
      text: `0::/kubepods/pod${POD}/crio-conmon-${ID}\n`,
      pod: POD,
    },
    {
      name: "dockershim, OpenShift",
      text: `9:freezer:/kubepods.slice/kubepods-pod${POD_}.slice/docker-${ID}.scope\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "cgroupfs, v1",
      text:
        `4:memory:/kubepods/besteffort/pod${POD}/${ID}\n3:cpuset:/kubepods/besteffort/pod${POD}/` +
        `${ID}\n0::/\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "cgroupfs, v2, as k3s, RKE and microk8s have it",
      text: `0::/kubepods/burstable/pod${POD}/${ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "containerd without the systemd driver under its own service",
      text: `0::/system.slice/containerd.service/kubepods-burstable-pod${POD_}.slice:` +
        `cri-containerd:${ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "the same on v1, with other hierarchies",
      text: `11:perf_event:/kubepods-besteffort-pod${POD_}.slice:cri-containerd:${ID}\n` +
        `1:name=systemd:/system.slice/containerd.service/` +
        `kubepods-besteffort-pod${POD_}.slice:cri-containerd:${ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "a static pod, cgroupfs",
      text: `0::/kubepods/burstable/pod${HASH}/${ID}\n`,
      container: ID,
      pod: HASH,
    },
    {
      name: "a static pod, systemd",
      text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${HASH}.slice/` +
        `cri-containerd-${ID}.scope\n`,
      container: ID,
      pod: HASH,
    },
    {
      name: "a static pod of containerd without the systemd driver",
      text: `0::/kubepods-pod${HASH}.slice:cri-containerd:${ID}\n`,
      container: ID,
      pod: HASH,
    },
    { name: "a pod without a container", text: `0::/kubepods/besteffort/pod${POD}\n`, pod: POD },
    {
      name: "kind, systemd",
      text: "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/" +
        `kubelet-kubepods-besteffort-pod${POD_}.slice/cri-containerd-${ID}.scope\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "kind, whose node is a container: the pod's, not the node's",
      text: `0::/system.slice/docker-${OTHER_ID}.scope/kubelet.slice/kubelet-kubepods.slice/` +
        `kubelet-kubepods-pod${POD_}.slice/cri-containerd-${ID}.scope\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "k3s in Docker",
      text: `0::/docker/${OTHER_ID}/kubepods/burstable/pod${POD}/${ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "a node that is a container: its kubelet",
      text: `0::/system.slice/docker-${ID}.scope/kubelet.slice/kubelet.service\n`,
      container: ID,
      service: "kubelet",
    },
    {
      name: "Docker in a pod: the pod's container",
      text: `0::/kubepods/burstable/pod${POD}/${ID}/docker/${OTHER_ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "a cluster in a pod: the outer pod",
      text:
        `0::/kubepods/pod${POD}/${ID}/docker/${OTHER_ID}/kubepods/pod${OTHER_POD}/${OTHER_ID}\n`,
      container: ID,
      pod: POD,
    },
    {
      name: "microk8s's own service",
      text: "0::/system.slice/snap.microk8s.daemon-kubelite.service\n",
      service: "snap.microk8s.daemon-kubelite",
    },
    { name: "k3s's own service", text: "0::/system.slice/k3s.service\n", service: "k3s" },
    { name: "a uid with a digit too few", text: `0::/kubepods/pod${HASH.slice(1)}\n` },
    { name: "a uid with a digit too many", text: `0::/kubepods/pod${HASH}0\n` },
    { name: "a uid with both - and _", text: `0::/kubepods/pod${POD.replace("-", "_")}\n` },
    { name: "a slice whose name only ends like one", text: `0::/a.slice/a-tripod${HASH}.slice\n` },
  ],

  "Amazon ECS: amazon-ecs-agent#4077; elastic/apm json-specs/cgroup_parsing.json": [
    { name: "EC2, v1", text: `4:memory:/ecs/${HASH}/${ID}\n`, container: ID },
    { name: "EC2, v1, with the cluster", text: `4:memory:/ecs/web/${HASH}/${ID}\n`, container: ID },
    { name: "EC2, v1, long task ids", text: `4:memory:/ecs/${OTHER_POD}/${ID}\n`, container: ID },
    {
      name: "EC2, v2",
      text: `0::/ecstasks.slice/ecstasks-${HASH}.slice/docker-${ID}.scope\n`,
      container: ID,
    },
    {
      name: "Fargate",
      text: `1:name=systemd:/ecs/${HASH}/${HASH}-4015103728\n`,
      container: `${HASH}-4015103728`,
    },
    {
      name: "Fargate, reports",
      text: `0::/ecs-reports/${HASH}-1234567890\n`,
      container: `${HASH}-1234567890`,
    },
    { name: "a task without a container", text: `0::/ecs/${HASH}\n` },
    { name: "what only looks like Fargate", text: `0::/ecs/${HASH}-12ab\n` },
  ],

  "systemd: systemd.unit(5), CGROUP_DELEGATION, its test-cgroup-util.c": [
    { name: "a service, v2", text: "0::/system.slice/nginx.service\n", service: "nginx" },
    {
      name: "a service with its own cgroups",
      text: "0::/system.slice/system-postgresql.slice/postgresql@15-main.service/worker\n",
      service: "postgresql@15-main",
    },
    {
      name: "a service, v1",
      text:
        "5:memory:/system.slice/sshd.service\n1:name=systemd:/system.slice/sshd.service\n0::/\n",
      service: "sshd",
    },
    {
      name: "a login session, v1, whose memory counts as the service's that opened it",
      text: "5:memory:/system.slice/sshd.service\n" +
        "1:name=systemd:/user.slice/user-0.slice/session-1.scope\n0::/\n",
    },
    {
      name: "a service, hybrid",
      text: "1:name=systemd:/system.slice/nginx.service\n0::/system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "a service, v1 without systemd's hierarchy",
      text: "5:memory:/system.slice/sshd.service\n",
      service: "sshd",
    },
    {
      name: "a name with an escape: as systemctl shows it",
      text: "0::/system.slice/system-my\\x2dapp.slice/my\\x2dapp@a\\x2db.service\n",
      service: "my\\x2dapp@a\\x2db",
    },
    {
      name: "a name that the kernel could take for a file of its own",
      text: "0::/system.slice/_cpu.service/worker\n",
      service: "cpu",
    },
    { name: "a template, which never runs", text: "0::/system.slice/getty@.service\n" },
    { name: "what no unit can be called", text: "0::/system.slice/a b.service\n" },
    {
      name: "a cgroup of a service that no unit can be called like",
      text: "0::/system.slice/nginx.service/\x1b[2J.service\n",
      service: "nginx",
    },
    { name: "a path with a colon", text: "0::/system.slice/a:b.service\n", service: "a:b" },
    {
      name: "a service outside of system.slice",
      text: "0::/web.slice/web-shop.slice/cart.service\n",
      service: "cart",
    },
    { name: "a slice", text: "0::/system.slice/system-getty.slice\n" },
    { name: "systemd itself", text: "0::/init.scope\n" },
    { name: "a transient scope", text: "0::/system.slice/run-r0f3a.scope\n" },
    { name: "a login session", text: "0::/user.slice/user-1000.slice/session-3.scope\n" },
    {
      name: "a user's own service",
      text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n",
    },
    {
      name: "a user's application",
      text:
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-1.scope\n",
    },
    {
      name: "a user's terminal, which has a UUID",
      text: "1:name=systemd:/user.slice/user-1000.slice/user@1000.service/apps.slice/" +
        `apps-org.gnome.Terminal.slice/vte-spawn-${OTHER_POD}.scope\n`,
    },
    { name: "a user's systemd", text: "0::/user.slice/user-0.slice/user@0.service/init.scope\n" },
    { name: "cron's children", text: "0::/system.slice/cron.service\n" },
    { name: "cron's children on Fedora", text: "0::/system.slice/crond.service\n" },
    { name: "a job of at", text: "0::/system.slice/atd.service\n" },
  ],

  "systemd-nspawn(1), systemd-machined(8)": [
    {
      name: "a service of a container",
      text: "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "a service of a container that was started by hand",
      text: "0::/machine.slice/machine-web.scope/payload/system.slice/nginx.service/worker\n",
      service: "nginx",
    },
    {
      name: "an instance in a container",
      text: "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/" +
        "system-php.slice/php@8.service\n",
      service: "php@8",
    },
    {
      name: "a container in a container",
      text: "0::/machine.slice/systemd-nspawn@a.service/payload/machine.slice/" +
        "systemd-nspawn@b.service/payload/system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "the systemd of a container",
      text: "0::/machine.slice/systemd-nspawn@web.service/payload/init.scope\n",
    },
    {
      name: "a login session in a container",
      text: "0::/machine.slice/systemd-nspawn@web.service/payload/user.slice/user-0.slice/" +
        "session-1.scope\n",
    },
    {
      name: "a container without a systemd",
      text: "0::/machine.slice/systemd-nspawn@web.service/payload\n",
      service: "systemd-nspawn@web",
    },
    {
      name: "nspawn itself",
      text: "0::/machine.slice/systemd-nspawn@web.service/supervisor\n",
      service: "systemd-nspawn@web",
    },
    { name: "a machine", text: "0::/machine.slice/machine-web.scope\n" },
    {
      name: "a virtual machine of libvirt",
      text: "0::/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator\n",
    },
  ],

  "LXC, LXD, Incus: lxc.container.conf(5), lxc.cgroup.dir; lxc#2782": [
    { name: "a container", text: "0::/lxc.payload.web\n" },
    {
      name: "a service of a container",
      text: "0::/lxc.payload.web/system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "a service of a container, LXC 3.1",
      text: "4:memory:/lxc.payload/web/system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "a service of a container, LXC 3.0",
      text: "1:name=systemd:/lxc/web/system.slice/nginx.service\n",
      service: "nginx",
    },
    { name: "a monitor", text: "0::/lxc.monitor.web\n" },
    {
      name: "a container that a service has started",
      text: "0::/system.slice/lxc@web.service/lxc.payload.web\n",
    },
    {
      name: "a container of a user",
      text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/lxc.payload.web/" +
        "system.slice/nginx.service\n",
      service: "nginx",
    },
    {
      name: "Docker in a container",
      text: `0::/lxc.payload.web/system.slice/docker-${ID}.scope\n`,
      container: ID,
    },
  ],

  "Garden: elastic/apm#105, concourse#3613, guardian cgroups.GoodCgroupName": [
    {
      name: "a container",
      text: "12:memory:/system.slice/garden.service/garden/70eb4ce5-a065-4401-6990-88ed\n" +
        "10:freezer:/garden/70eb4ce5-a065-4401-6990-88ed\n",
      container: "70eb4ce5-a065-4401-6990-88ed",
    },
    { name: "a whole UUID", text: `0::/garden/${GUID}\n`, container: GUID },
    { name: "a throttled container", text: `2:cpu:/garden/bad/${GUID}\n`, container: GUID },
    { name: "a tagged server", text: `2:cpu:/garden-1/good/${GUID}\n`, container: GUID },
    { name: "a UUID elsewhere, which may be anything", text: `0::/work/${GUID}\n` },
  ],

  "Mesos: its documentation on the Mesos containerizer": [
    { name: "a container", text: `4:memory:/mesos/${GUID}\n`, container: GUID },
    { name: "a nested one", text: `4:memory:/mesos/${GUID}/mesos/${OTHER_POD}\n`, container: GUID },
  ],

  "others": [
    { name: "nerdctl", text: `0::/system.slice/nerdctl-${ID}.scope\n`, container: ID },
    { name: "containerd, cgroupfs", text: `0::/default/${ID}\n`, container: ID },
    { name: "Nomad", text: `0::/nomad.slice/share.slice/${GUID}.web.scope\n` },
    { name: "Slurm", text: "0::/system.slice/slurmstepd.scope/job_1/step_0/user/task_0\n" },
    { name: "lines without fields", text: "x\n::\n0:\n" },
  ],
};

for (const [maker, cases] of Object.entries(CASES)) {
  for (const { name, text, container, pod, service } of cases) {
    Deno.test(`parseCgroups() reads ${name} (${maker.replace(/:.*/, "")})`, () => {
      const expected: CgroupNames = { containerId: container, podUid: pod, service };
      assert.deepEqual(parseCgroups(text), expected);
    });
  }
}

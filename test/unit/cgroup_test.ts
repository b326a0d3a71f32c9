import { strict as assert } from "node:assert";
import { type CgroupNames, parseCgroups } from "../../src/host/cgroup.ts";

const ID = "3f7a1c0d9e8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f";
const POD = "8a5b0c1e-3a7f-4b52-9f3e-0d2c4b6a8e10";
const POD_ = POD.replaceAll("-", "_");

interface Case {
  readonly name: string;
  readonly text: string;
  readonly container?: string;
  readonly pod?: string;
  readonly service?: string;
}

const CASES: Case[] = [
  { name: "the root", text: "0::/\n" },
  { name: "nothing", text: "" },
  { name: "Docker, cgroupfs, v2", text: `0::/docker/${ID}\n`, container: ID },
  { name: "Docker, systemd, v2", text: `0::/system.slice/docker-${ID}.scope\n`, container: ID },
  {
    name: "Docker, v1",
    text: `12:pids:/docker/${ID}\n11:memory:/docker/${ID}\n1:name=systemd:/docker/${ID}\n0::/\n`,
    container: ID,
  },
  {
    name: "Docker in Docker: the outer container, which the host knows",
    text: `0::/docker/${ID}/docker/${"0".repeat(64)}\n`,
    container: ID,
  },
  {
    name: "Podman, v2",
    text: `0::/machine.slice/libpod-${ID}.scope/container\n`,
    container: ID,
  },
  {
    name: "rootless Podman",
    text: `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope\n`,
    container: ID,
  },
  {
    name: "kubelet with containerd, systemd, v2",
    text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD_}.slice/` +
      `cri-containerd-${ID}.scope\n`,
    container: ID,
    pod: POD,
  },
  {
    name: "kubelet with CRI-O",
    text: `0::/kubepods.slice/kubepods-pod${POD_}.slice/crio-${ID}.scope\n`,
    container: ID,
    pod: POD,
  },
  {
    name: "kubelet, cgroupfs, v1",
    text:
      `4:memory:/kubepods/besteffort/pod${POD}/${ID}\n3:cpuset:/kubepods/besteffort/pod${POD}/` +
      `${ID}\n0::/\n`,
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
  { name: "a systemd service, v2", text: "0::/system.slice/nginx.service\n", service: "nginx" },
  {
    name: "a systemd service with its own cgroups",
    text: "0::/system.slice/system-postgresql.slice/postgresql@15-main.service/worker\n",
    service: "postgresql@15-main",
  },
  {
    name: "a systemd service, v1",
    text: "5:memory:/system.slice/sshd.service\n1:name=systemd:/system.slice/sshd.service\n0::/\n",
    service: "sshd",
  },
  {
    name: "a service of a systemd in a container",
    text: `0::/system.slice/docker-${ID}.scope/system.slice/nginx.service\n`,
    container: ID,
    service: "nginx",
  },
  { name: "a login session", text: "0::/user.slice/user-1000.slice/session-3.scope\n" },
  {
    name: "a user's own service",
    text: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n",
  },
  { name: "cron's children", text: "0::/system.slice/cron.service\n" },
  { name: "an id that is too short", text: `0::/docker/${ID.slice(1)}\n` },
  { name: "an id that is too long", text: `0::/docker/${ID}a\n` },
  { name: "a path with a colon", text: "0::/system.slice/a:b.service\n", service: "a:b" },
];

for (const { name, text, container, pod, service } of CASES) {
  Deno.test(`parseCgroups() reads the path of ${name}`, () => {
    const expected: CgroupNames = { containerId: container, podUid: pod, service };
    assert.deepEqual(parseCgroups(text), expected);
  });
}

/** Processes in their own namespaces. */
import type { Case } from "../../case.ts";
import type { Session, Side, Stage } from "../../stage.ts";
import { talk } from "./talk.ts";

const IN_PIDS = ["unshare", "--pid", "--fork"];
/** All files again, below /mnt, in its own mounts. */
const IN_ROOT = [
  ...["unshare", "--mount", "sh", "-c"],
  'mount --rbind / /mnt && exec chroot /mnt "$@"',
  "sh",
];

export const NAMESPACES: Case[] = [
  {
    name: "the same addresses and ports in two network namespaces at once",
    section: "places",
    act: async (stage) => {
      const ports = [stage.port(), stage.port()] as const;
      const near = await loopback(stage, "near", "", ...ports);
      const far = await loopback(stage, "far", " in the other", ...ports);
      return (await Promise.all([near, far].map((session) => talk(session)))).flat();
    },
  },
  {
    name: "a server in a pid namespace",
    section: "places",
    act: async (stage) => {
      const actor = await stage.actor("far", { comm: "truth-server", under: IN_PIDS });
      return talk(await stage.join(await stage.client(), await stage.listen({ actor })));
    },
  },
  {
    name: "a client in a pid namespace in a pid namespace",
    section: "places",
    act: async (stage) => {
      const under = [...IN_PIDS, ...IN_PIDS];
      const actor = await stage.actor("near", { comm: "truth-client", under });
      return talk(await stage.join(await stage.client({ actor }), await stage.listen()));
    },
  },
  {
    name: "a client in mounts of its own",
    section: "places",
    act: async (stage) => {
      const under = ["unshare", "--mount"];
      const actor = await stage.actor("near", { comm: "truth-client", under });
      return talk(await stage.join(await stage.client({ actor }), await stage.listen()));
    },
  },
  {
    name: "a client in a chroot: the path of its executable is that from outside",
    section: "places",
    act: async (stage) => {
      const actor = await stage.actor("near", { comm: "truth-client", under: IN_ROOT });
      const owner = { ...actor.process, exe_path: `/mnt${actor.process.exe_path}` };
      const session = await stage.join(await stage.client({ actor }), await stage.listen());
      return talk(session, { client: { owner } });
    },
  },
  {
    name: "a client in a user namespace, where it is root",
    section: "places",
    act: async (stage) => {
      const under = [
        ...["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"],
        ...["unshare", "--user", "--map-root-user"],
      ];
      const actor = await stage.actor("near", { comm: "truth-client", under });
      const session = await stage.join(await stage.client({ actor }), await stage.listen());
      return talk(session, { client: { owner: { ...actor.process, uid: 12345 } } });
    },
  },
];

async function loopback(
  stage: Stage,
  side: Side,
  suffix: string,
  port: number,
  bound: number,
): Promise<Session> {
  const address = "127.0.0.1";
  const actor = await stage.actor(side, { comm: "truth-server" });
  const listener = await stage.listen({ address, actor, port });
  const what = `client${suffix}`;
  return await stage.join(await stage.client({ side, address, bound, what }), listener);
}

/** Every option of a capture: its programs load, and do what the option says. */
import { Cgroup } from "../../kernel/host.ts";
import type { Trace } from "../../kernel/harness.ts";
import type { CaptureOptions } from "../../../mod.ts";
import type { Check, Need } from "./check.ts";
import { assertEnd, assertNothing, assertPlayed, Pair, play } from "./play.ts";
import { startTrace } from "./trace.ts";

/** The ends that are reported of a session with 1000 bytes to the server and 2000 back. */
type Reported = "both" | "client" | "server" | "none";

interface Case {
  readonly name: string;
  readonly reported: Reported;
  readonly needs?: Need;
  options(port: number): CaptureOptions;
}

const MINUTE = 60_000;

const ALL_PORTS = Array.from({ length: 65536 }, (_, port) => port);

/** All options that every host supports, set so that nothing is left out. */
const ALL: CaptureOptions = {
  pids: [Deno.pid],
  localPorts: ALL_PORTS,
  remotePorts: ALL_PORTS,
  families: ["ipv4", "ipv6"],
  includeCidrs: ["127.0.0.0/8"],
  excludeCidrs: ["192.0.2.0/24"],
  excludeExecutables: ["nc"],
  minBytes: 3000,
  minDuration: 1,
  maxSessionsPerSecond: 1000,
  sampling: { ratio: 1, keepErrors: true },
  ringBuffer: 64 * 1024,
  interim: MINUTE,
  reportOpenOnExit: true,
};

// other checks try the other options alone: a session that stays open, a pin, a sample
const CASES: readonly Case[] = [
  { name: "none", reported: "both", options: () => ({}) },
  { name: "pids", reported: "none", options: () => ({ pids: [1] }) },
  { name: "localPorts", reported: "server", options: (port) => ({ localPorts: [port] }) },
  { name: "remotePorts", reported: "client", options: (port) => ({ remotePorts: [port] }) },
  { name: "families", reported: "none", options: () => ({ families: ["ipv6"] }) },
  { name: "includeCidrs", reported: "none", options: () => ({ includeCidrs: ["192.0.2.0/24"] }) },
  { name: "excludeCidrs", reported: "none", options: () => ({ excludeCidrs: ["127.0.0.0/30"] }) },
  {
    name: "excludeExecutables",
    reported: "none",
    options: () => ({ excludeExecutables: ["deno"] }),
  },
  { name: "minBytes", reported: "none", options: () => ({ minBytes: 3001 }) },
  { name: "minDuration", reported: "none", options: () => ({ minDuration: MINUTE }) },
  {
    name: "maxSessionsPerSecond",
    reported: "both",
    options: () => ({ maxSessionsPerSecond: 1000 }),
  },
  { name: "ownTraffic", reported: "none", options: () => ({ ownTraffic: false }) },
  { name: "all but excludeCgroups", reported: "both", options: () => ALL },
  {
    name: "all",
    needs: "cgroup v2",
    reported: "both",
    options: () => ({ ...ALL, excludeCgroups: ["/nowhere"] }),
  },
];

/** A check for each option, and one for all together. */
export const OPTIONS_CHECKS: readonly Check[] = [
  ...CASES.map(({ name, reported, options, ...rest }): Check => ({
    ...rest,
    name: `option: ${name}`,
    async run() {
      // the port must be known before the capture starts; the session starts after it
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using trace = await startTrace(options(listener.addr.port));
      using pair = await Pair.between(listener);
      await pair.exchange(1000, 2000);
      await pair.close();
      await assertReported(trace, pair.port, reported);
    },
  })),
  {
    name: "option: excludeCgroups",
    needs: "cgroup v2",
    async run() {
      using cgroup = new Cgroup();
      const name = cgroup.path.slice("/sys/fs/cgroup".length);
      await using trace = await startTrace({ excludeCgroups: [name] });
      await Deno.writeTextFile(`${cgroup.path}/cgroup.procs`, `${Deno.pid}`);
      const hidden = await play();
      await Deno.writeTextFile("/sys/fs/cgroup/cgroup.procs", `${Deno.pid}`);
      const shown = await play();
      await trace.until(2, ({ localPort, peerPort }) => localPort === shown || peerPort === shown);
      await assertNothing(trace, hidden);
    },
  },
];

async function assertReported(trace: Trace, port: number, reported: Reported): Promise<void> {
  switch (reported) {
    case "both":
      return void await assertPlayed(trace, port);
    case "client": {
      const [end] = await trace.take(1, ({ peerPort }) => peerPort === port);
      return assertEnd(end, { role: "active", txBytes: 1000, rxBytes: 2000 });
    }
    case "server": {
      const [end] = await trace.take(1, ({ localPort }) => localPort === port);
      return assertEnd(end, { role: "passive", txBytes: 2000, rxBytes: 1000 });
    }
    case "none":
      return await assertNothing(trace, port);
  }
}

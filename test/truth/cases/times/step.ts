/** Sessions during which somebody sets the wall clock. */
import type { Case, ExpectedEnd } from "../../case.ts";
import { End } from "../../end.ts";
import { pause, type Stage } from "../../stage.ts";
import type { Window } from "../../window.ts";
import { clientCloses } from "../bytes/finish.ts";

const STEPPED_MS = 120;
const NOTICE_MS = 20; // until a program notices the step

export const STEPS: Case[] = [
  ...[3, -3].map((seconds): Case => ({
    name: `the wall clock is set ${direction(seconds)} three seconds and set right again`,
    section: "times",
    alone: true, // it misleads everybody who reads the wall clock
    act: async (stage) => {
      const session = await stage.connect();
      await session.client.transfer(10);
      await stepped(stage, seconds, () => pause(STEPPED_MS / 2));
      await pause(NOTICE_MS);
      return await clientCloses(session);
    },
  })),
  ...[3, -3].flatMap((seconds) =>
    ([["ends while", NOTICE_MS], ["ends as soon as", 0]] as const).map(([when, ms]): Case => ({
      name: `a session ${when} the wall clock is ${direction(seconds)} three seconds`,
      section: "times",
      alone: true,
      act: async (stage) => {
        const session = await stage.connect();
        await session.client.transfer(10);
        const ends = await stepped(stage, seconds, async () => {
          await pause(ms);
          return await clientCloses(session);
        });
        const clockAheadNs = BigInt(seconds) * 1_000_000_000n;
        return ends.map((end) => ({ ...openedBefore(end, clockAheadNs), clockAheadNs }));
      },
    }))
  ),
  {
    name: "a session begins while the wall clock is forward three seconds",
    section: "times",
    alone: true,
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      const session = await stepped(stage, 3, async () => {
        await pause(NOTICE_MS);
        return await stage.join(client, listener);
      });
      await pause(NOTICE_MS);
      return (await clientCloses(session)).map((end) => openedBefore(end, -3_000_000_000n));
    },
  },
  {
    name: "sessions end all the time while the wall clock is forward three seconds",
    section: "times",
    alone: true,
    act: async (stage) => {
      const listener = await stage.listen({ loopback: true });
      const actor = await stage.actor("near", { comm: "truth-client" });
      const ends: ExpectedEnd[] = [];
      const make = async (what: string) => {
        for (let i = 0; i < 10; i++) {
          const client = await stage.client({ actor, address: "127.0.0.1", what: `${what} ${i}` });
          await client.connectAndAbort(listener);
          const server = End.unaccepted(client, listener);
          ends.push(client.ended("established", "local", "aborted"));
          ends.push(server.ended("established", "peer", "reset"));
        }
      };
      await make("client before");
      await actor.stepClock(3, STEPPED_MS); // the same process: it makes no session meanwhile
      await make("client");
      await actor.waitForClock();
      await make("client after");
      return ends;
    },
  },
  {
    name: "the machine is suspended during a session",
    section: "times",
    impossible: "it would suspend the tests, and nothing here could wake a virtual machine",
  },
];

function direction(seconds: number): string {
  return seconds > 0 ? "forward" : "back";
}

/** Does work while the clock is wrong, and waits until it is right again. */
async function stepped<T>(stage: Stage, seconds: number, work: () => Promise<T>): Promise<T> {
  const actor = await stage.actor("near", { comm: "truth-clock" });
  await actor.stepClock(seconds, STEPPED_MS);
  try {
    return await work();
  } finally {
    await actor.waitForClock();
  }
}

/** An end of a session that began when the clock was `ns` behind the clock at its end. */
function openedBefore(end: ExpectedEnd, ns: bigint): ExpectedEnd {
  const shift = ({ from, to }: Window): Window => ({ from: from + ns, to: to + ns });
  const { established } = end;
  const start = shift(end.start);
  return {
    ...end,
    start,
    established: established === undefined ? undefined : shift(established),
    rttUs: [1, Number((end.end.to - start.from) / 1000n) + 100],
    events: end.events.map((event) =>
      event.name === "tcpspan.established" ? { ...event, within: shift(event.within) } : event
    ),
  };
}

/** Sessions during which somebody sets the wall clock. */
import type { Case, ExpectedEnd } from "../../case.ts";
import { pause, type Stage } from "../../stage.ts";
import type { Window } from "../../window.ts";
import { clientCloses } from "../bytes/finish.ts";

const STEPPED_MS = 120;
const TOLD_MS = 20; // in which a program hears of it

export const STEPS: Case[] = [
  ...[3, -3].map((seconds): Case => ({
    name: `the wall clock is set ${way(seconds)} three seconds and set right again`,
    section: "times",
    alone: true, // whoever reads the wall clock is misled
    act: async (stage) => {
      const session = await stage.connect();
      await session.client.transfer(10);
      await stepped(stage, seconds, () => pause(STEPPED_MS / 2));
      await pause(TOLD_MS);
      return await clientCloses(session);
    },
  })),
  ...[3, -3].map((seconds): Case => ({
    name: `a session ends while the wall clock is ${way(seconds)} three seconds`,
    section: "times",
    alone: true,
    act: async (stage) => {
      const session = await stage.connect();
      const ends = await stepped(stage, seconds, async () => {
        await pause(TOLD_MS);
        return await clientCloses(session);
      });
      // one clock for all times of a span: that of its end
      return ends.map((end) => openedOnClock(end, seconds));
    },
  })),
  {
    name: "a session begins while the wall clock is forward three seconds",
    section: "times",
    alone: true,
    act: async (stage) => {
      const listener = await stage.listen();
      const client = await stage.client();
      const session = await stepped(stage, 3, async () => {
        await pause(TOLD_MS);
        return await stage.join(client, listener);
      });
      await pause(TOLD_MS);
      return (await clientCloses(session)).map((end) => openedOnClock(end, -3));
    },
  },
  {
    name: "the machine is suspended during a session",
    section: "times",
    impossible: "it would suspend the tests, and nothing here could wake a virtual machine",
  },
];

function way(seconds: number): string {
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

/** The end of a session that began when the clock was `seconds` behind that of its end. */
function openedOnClock(end: ExpectedEnd, seconds: number): ExpectedEnd {
  const shift = ({ from, to }: Window): Window => {
    const ns = BigInt(seconds) * 1_000_000_000n;
    return { from: from + ns, to: to + ns };
  };
  const { established } = end;
  const lifeUs = Number((end.end.to - shift(end.start).from) / 1000n) + 100;
  return {
    ...end,
    start: shift(end.start),
    established: established === undefined ? undefined : shift(established),
    rttUs: [1, lifeUs],
    events: end.events.map((event) =>
      event.name === "tcpspan.established" ? { ...event, within: shift(event.within) } : event
    ),
  };
}

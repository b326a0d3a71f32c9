/** The trials: what an operator fears, done under load. */
import { join } from "node:path";
import { sleep } from "../../bench/sleep.ts";
import { run } from "../kernel/host.ts";
import { mountSmallDisk } from "../small_disk.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { Rig } from "./rig.ts";
import type { Scale } from "./scale.ts";
import { Watch } from "./watch.ts";

/** Runs one trial. */
export type Trial = (scale: Scale) => Promise<Outcome>;

const MIB = 2 ** 20;
const THREADS = 4;
/** Enough sessions to make every page of the ring resident. */
const WARM_UP = { threads: THREADS, sessions: 40_000, rate: 10_000 };
const MEMORY_QUEUE = 20_000; // sessions
const SOAK_GROWTH_MB = 12; // from the first third to the last

/** The receiver refuses connections, and comes back. */
export const outage: Trial = async ({ outage: { seconds, rate, growthMb } }) =>
  await endure(`receiver stopped for ${seconds} s under ${rate} sessions/s`, {
    seconds,
    rate,
    growthMb,
  });

/** The same with as many sessions as the machine can make. */
export const busyOutage: Trial = async ({ busyOutage: { seconds, growthMb } }) =>
  await endure(`receiver stopped for ${seconds} s under full churn`, { seconds, growthMb });

async function endure(
  trial: string,
  { seconds, rate, growthMb }: { seconds: number; rate?: number; growthMb: number },
): Promise<Outcome> {
  await using rig = await Rig.prepare();
  const { load, sink, folder } = rig;
  await rig.configure({
    queue: `queue_size: ${MEMORY_QUEUE}, storage: ${join(folder, "spool")}, max_bytes: 4GiB`,
  });
  await using tool = await rig.start();
  const warm = await load.churn(WARM_UP);
  await sink.close();
  using watch = new Watch(tool.pid);
  const churned = await load.churn({
    threads: THREADS,
    seconds,
    ...(rate === undefined ? {} : { rate }),
  });
  const [first, last] = watch.thirds;
  const growth = last.mb - first.mb;
  const onDisk = await sizeOf(join(folder, "spool"));
  await sink.open();
  await rig.untilDelivered();
  const { stderr } = await tool.stop("SIGTERM");
  return await outcomeOf(trial, {
    sessions: warm.sessions + churned.sessions,
    sink,
    stderr,
    notes: [
      `memory ${first.mb.toFixed(0)} MB in the outage's first third, ${last.mb.toFixed(0)} MB in ` +
      `the last, ${watch.peakMb.toFixed(0)} MB at most`,
      `${(onDisk / 1e6).toFixed(0)} MB on disk`,
    ],
    objections: growth > growthMb ? [`memory grew by ${growth.toFixed(0)} MB`] : [],
  });
}

/** SIGKILL at random moments, also during the start; a queue on disk, and pinned programs. */
export const kills: Trial = async ({ kills: { count, rate } }) => {
  await using rig = await Rig.prepare();
  const { sink, folder, pin } = rig;
  await rig.configure({
    capture: `pin: ${pin}`,
    queue: `storage: ${join(folder, "spool")}, persistent: true`,
  });
  await (await rig.start()).stop("SIGTERM"); // from here on the kernel records
  let over = false;
  const stop = new AbortController();
  const churning = churnUntil(rig, rate, stop.signal).finally(() => over = true);
  const moments: number[] = [];
  for (let i = 0; i < count && !over; i++) {
    await using tool = rig.spawn();
    const moment = Math.random() * 2500;
    moments.push(moment);
    await sleep(moment);
    Deno.kill(tool.pid, "SIGKILL");
    await tool.end().catch(() => {}); // disposing waits for it as well
  }
  stop.abort();
  const sessions = await churning;
  await using last = await rig.start();
  await rig.untilDelivered();
  const { stderr } = await last.stop("SIGTERM");
  return await outcomeOf(`SIGKILL at ${count} random moments under ${rate} sessions/s`, {
    sessions,
    sink,
    stderr,
    notes: [`killed up to 2.5 s after the start, pinned, persistent queue`],
    objections: moments.length < count ? [`killed ${moments.length} times only`] : [],
  });
};

/** Makes sessions, one second at a time. @returns how many */
async function churnUntil({ load }: Rig, rate: number, stop: AbortSignal): Promise<number> {
  let sum = 0;
  while (!stop.aborted) {
    sum += (await load.churn({ threads: THREADS, seconds: 1, rate })).sessions;
  }
  return sum;
}

/** SIGSTOP: the ring fills up, and what it has no room for is counted. */
export const standstill: Trial = async ({ standstill: { seconds, rate } }) => {
  await using rig = await Rig.prepare();
  const { load, sink } = rig;
  await rig.configure({});
  await using tool = await rig.start();
  const churning = load.churn({ threads: THREADS, seconds: seconds + 4, rate });
  await sleep(2000);
  Deno.kill(tool.pid, "SIGSTOP");
  await sleep(seconds * 1000);
  Deno.kill(tool.pid, "SIGCONT");
  const { sessions } = await churning;
  await rig.untilDelivered();
  const { stderr } = await tool.stop("SIGTERM");
  const outcome = await outcomeOf(`SIGSTOP for ${seconds} s under ${rate} sessions/s`, {
    sessions,
    sink,
    stderr,
  });
  const full = outcome.lost.some(([place]) => place.startsWith("the ring buffer was full"));
  return full ? outcome : { ...outcome, objections: ["the ring was never full"] };
};

/** The disk is full while the receiver is away; then both recover. */
export const fullDisk: Trial = async ({ disk: { seconds, rate, mib } }) => {
  await using rig = await Rig.prepare();
  const disk = join(rig.folder, "disk");
  await Deno.mkdir(disk);
  await using _disk = await mountSmallDisk(disk, mib * MIB);
  const { load, sink } = rig;
  await rig.configure({
    queue: `queue_size: 5000, storage: ${disk}, persistent: true`,
  });
  await using tool = await rig.start();
  await sink.close();
  const during = await load.churn({ threads: THREADS, seconds, rate });
  await sink.open();
  await rig.untilDelivered();
  const after = await load.churn({ threads: THREADS, seconds: 1, rate });
  await rig.untilDelivered();
  const { stderr } = await tool.stop("SIGTERM");
  return await outcomeOf(`disk of ${mib} MiB full under ${rate} sessions/s`, {
    sessions: during.sessions + after.sessions,
    sink,
    stderr,
    objections: [
      ...(/No space left on device/.test(stderr) ? [] : ["the disk was never full"]),
      ...(/can be written again/.test(stderr) ? [] : ["it did not say that there is room again"]),
    ],
  });
};

/** The folder cannot be written while sessions come, and later can again. */
export const forbidden: Trial = async ({ disk: { seconds, rate } }) => {
  await using rig = await Rig.prepare();
  const disk = join(rig.folder, "disk");
  await Deno.mkdir(disk);
  await using _disk = await mountSmallDisk(disk, 64 * MIB);
  const { load, sink } = rig;
  await rig.configure({ // with segments that are full within a second
    queue: `queue_size: 100000, storage: ${disk}, persistent: true, max_bytes: 4MiB`,
  });
  await using tool = await rig.start();
  const before = await load.churn({ threads: THREADS, seconds: 1, rate });
  await run("chattr", "+i", join(disk, "otlp"));
  const during = await load.churn({ threads: THREADS, seconds: Math.ceil(seconds / 3), rate });
  await run("chattr", "-i", join(disk, "otlp"));
  const after = await load.churn({ threads: THREADS, seconds: 3, rate });
  await rig.untilDelivered();
  const { stderr } = await tool.stop("SIGTERM");
  return await outcomeOf(`permission to write taken away under ${rate} sessions/s`, {
    sessions: before.sessions + during.sessions + after.sessions,
    sink,
    stderr,
    objections: /Operation not permitted/.test(stderr) ? [] : ["writing was never forbidden"],
  });
};

/** As many sessions as in an hour, with a receiver that goes away repeatedly. */
export const soak: Trial = async ({ soak: { seconds, rate } }) => {
  await using rig = await Rig.prepare();
  const { load, sink, folder, pin } = rig;
  await rig.configure({
    capture: `pin: ${pin}`,
    queue: `storage: ${join(folder, "spool")}, persistent: true`,
  });
  await using tool = await rig.start();
  const warm = await load.churn(WARM_UP);
  const churning = load.churn({ threads: THREADS, seconds, rate });
  const over = churning.then(() => true);
  await sleep(seconds * 1000 / 10); // the heap settles
  using watch = new Watch(tool.pid);
  for (let away = true;; away = !away) {
    const done = await Promise.race([over, sleep(away ? 4000 : 1000)]);
    if (done === true) break;
    await (away ? sink.close() : sink.open());
  }
  await sink.open();
  const { sessions } = await churning;
  await rig.untilDelivered();
  const [first, last] = watch.thirds;
  const { stderr } = await tool.stop("SIGTERM");
  const growth = last.mb - first.mb;
  return await outcomeOf(`${seconds} s at ${rate} sessions/s, receiver away 1 s in 5`, {
    sessions: warm.sessions + sessions,
    sink,
    stderr,
    notes: [
      `memory ${first.mb.toFixed(0)} MB in the first third, ${last.mb.toFixed(0)} MB in the last`,
      `descriptors ${first.descriptors}, then ${last.descriptors}`,
    ],
    objections: [
      ...(growth > SOAK_GROWTH_MB ? [`memory grew by ${growth.toFixed(0)} MB`] : []),
      ...(last.descriptors > first.descriptors + 4 ? ["descriptors grew in number"] : []),
    ],
  });
};

async function sizeOf(folder: string): Promise<number> {
  const printed = await run("du", "--summarize", "--bytes", folder);
  return parseInt(printed);
}

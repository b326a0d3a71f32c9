/** Plays all cases under the real tracers, and judges what they report. */
import { strict as assert } from "node:assert";
import { startTcplife, type Tcplife } from "../e2e/tcplife.ts";
import { startTcpspan } from "../e2e/tcpspan.ts";
import type { Case, ExpectedEnd, PossibleCase } from "./case.ts";
import { SpanFeed } from "./feed.ts";
import { readHost } from "./host.ts";
import { parallel } from "../parallel.ts";
import { pause, Stage } from "./stage.ts";
import { judgeRows, judgeSpans, type Verdict } from "./verdict.ts";
import { timed } from "./window.ts";

/** The result of a case. */
export interface CaseResult {
  readonly played: PossibleCase;
  /** Why it could not be played to its end. */
  readonly broken: unknown;
  readonly tcpspan: Verdict;
  /** Undefined if tcplife did not run. */
  readonly tcplife: Verdict | undefined;
}

/** How to play. */
export interface RunOptions {
  /** Whether the real tcplife watches too. */
  readonly tcplife?: boolean;
  /** Called with the name of each finished case. */
  readonly progress?: (name: string) => void;
}

const OWN_NETNS = Deno.statSync("/proc/self/ns/net").ino;
const AT_ONCE = 6;
const ARRIVAL_MS = 3000; // for spans, after all ends
const SETTLE_MS = 300; // for spans that must not come
const CONFIG = "{ capture: { ring_buffer: 16MiB }, exporters: { stdout: { format: json } } }\n";

interface Play {
  readonly played: PossibleCase;
  readonly stage: Stage;
  ends: ExpectedEnd[];
  broken: unknown;
}

/** Plays all of `cases` that can be played. */
export async function runCases(
  cases: readonly Case[],
  { tcplife: wanted = false, progress = () => {} }: RunOptions = {},
): Promise<CaseResult[]> {
  const host = readHost();
  await using stages = new AsyncDisposableStack();
  const possible = cases.filter((one): one is PossibleCase => "act" in one);
  // all namespaces exist until the end: an inode is used again when its namespace is gone
  const plays = await parallel(possible, AT_ONCE, async (played, index): Promise<Play> => {
    const stage = stages.use(await Stage.open(index));
    return { played, stage, ends: [], broken: undefined };
  });
  await parallel(plays, AT_ONCE, async (play) => {
    await attempt(play, async () => await play.played.before?.(play.stage));
  });

  await using tools = new AsyncDisposableStack();
  const start = async () => tools.use(await startTcpspan([], { config: CONFIG }));
  let starting: ReturnType<typeof start> | undefined;
  const tracing = await timed(() => starting = start());
  assert.ok(starting !== undefined); // timed() has called it
  const tcpspan = await starting;
  const tcplife = wanted ? tools.use(await startTcplife()) : undefined;

  const feed = new SpanFeed(tcpspan.stdout);
  const playAll = (some: readonly Play[], atOnce: number) =>
    parallel(some, atOnce, async (play) => {
      const { played, stage } = play;
      stage.tracing = tracing;
      await attempt(play, async () => play.ends = await played.act(stage));
      play.ends = allowRetransmits(play.ends, await stage.sentAgain());
      await arrival(feed, play);
      await stage.endActors();
      progress(played.name);
    });
  await playAll(plays.filter(({ played }) => !played.alone), AT_ONCE);
  await playAll(plays.filter(({ played }) => played.alone), 1);
  await pause(SETTLE_MS);
  const { status, stderr } = await tcpspan.stop("SIGINT");
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /\b(lost|dropped)\b/i);

  return plays.map(({ played, stage, ends, broken }) => ({
    played,
    broken,
    tcpspan: judgeSpans(ends, spansOf(feed, stage), host),
    tcplife: tcplife === undefined ? undefined : judgeRows(ends, rowsOf(tcplife, stage)),
  }));
}

/** If something was sent again, any end may have sent it. */
function allowRetransmits(ends: readonly ExpectedEnd[], sentAgain: number): ExpectedEnd[] {
  return ends.map((end) => end.retransmits === 0 ? { ...end, retransmits: [0, sentAgain] } : end);
}

async function attempt(play: Play, work: () => Promise<unknown>): Promise<void> {
  if (play.broken !== undefined) return;
  try {
    await work();
  } catch (error) {
    play.broken = error ?? "it failed";
  }
}

/** Waits, for a bounded time, until there are as many spans as ends. */
async function arrival(feed: SpanFeed, { stage, ends }: Play): Promise<void> {
  const deadline = performance.now() + ARRIVAL_MS;
  while (spansOf(feed, stage).length < ends.length && performance.now() < deadline) {
    await pause(10);
  }
}

/** The case's spans: others may reuse a deleted namespace's inode, or be in the tests' own. */
function spansOf(feed: SpanFeed, stage: Stage) {
  return feed.of(stage.netns).filter((span) =>
    (span["tcpspan.netns"] !== OWN_NETNS && stage.ownsAddress(span["network.local.address"])) ||
    stage.ownsPort(Number(span["network.local.port"])) ||
    stage.ownsPort(Number(span["network.peer.port"]))
  );
}

function rowsOf(tcplife: Tcplife, stage: Stage) {
  return tcplife.rows().filter(({ localAddress, localPort, peerPort }) =>
    (stage.ownsPort(localPort) || stage.ownsPort(peerPort)) && stage.ownsAddress(localAddress)
  );
}

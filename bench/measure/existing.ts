/** A start with many open sockets: who owns them, and what ends meanwhile. */
import { numberOf, readSpans, type Span, textOf } from "../../test/soak/spans.ts";
import type { Bench } from "../bench.ts";
import { atMost, type Row } from "../row.ts";
import { sleep } from "../sleep.ts";
import { startSpans } from "../tracer.ts";

const RATE = 500; // sessions a second; the count in their addresses must not overflow
const LOAD_SECONDS = 8;
const KNOWN_MS = 1000;
const CONFIG = `
capture: { report_open_on_exit: true }
exporters: { stdout: { format: json } }
`;

/** The rows about sockets that were open before the start. */
export async function measureExisting({ folder, load, scale, progress }: Bench): Promise<Row[]> {
  progress(`start beside ${scale.sockets} open sockets`);
  await using _held = await load.hold(scale.sockets, 10);
  const churn = load.churn({ threads: 1, seconds: LOAD_SECONDS, rate: RATE });
  await sleep(200); // until there are sessions
  await using tracer = await startSpans(folder, CONFIG);
  const { sessions } = await churn;
  await sleep(1000);
  const said = (await tracer.stop()).split("\n").filter((line) => line.includes("lost"));

  const open = { reported: 0, owned: 0 };
  const ends = { client: new Set<number>(), server: new Set<number>() };
  for await (const span of readSpans(tracer.output)) {
    if (numberOf(span, "tcpspan.netns") !== load.netns) continue;
    if (span["tcpspan.interim"] === true) {
      open.reported++;
      if (Number.isInteger(span["process.pid"])) open.owned++;
    } else {
      note(span, ends);
    }
  }
  const lost = missing(ends.client, sessions) + missing(ends.server, sessions);
  const caught = ends.client.size + ends.server.size;
  const words = said.length === 0 ? "" : `; it said: ${said.join("; ")}`;
  return [
    {
      figure: `start beside ${scale.sockets} open sockets, until owners are known`,
      unit: "ms",
      tcpspan: [tracer.startMs],
      goal: {
        text: "≤ 1 s, all owners",
        met: (value) => value <= KNOWN_MS && open.owned >= scale.sockets,
      },
      note: `from deno's start to the line \`tcpspan: tracing\`; at its end it reported ` +
        `${open.reported} open sockets, ${open.owned} of them with their owner${words}`,
    },
    {
      figure: "sessions of the meantime lost",
      unit: "",
      tcpspan: [lost],
      goal: atMost(0, "0"),
      note: `gaps between the first session seen and the last one made; ${caught} ends were seen`,
    },
  ];
}

/** Notes the number of a session of the load, which is in the destination's address. */
function note(span: Span, ends: Readonly<Record<"client" | "server", Set<number>>>): void {
  const [role, key] = span["kind"] === "CLIENT"
    ? ["client", "network.peer.address"] as const
    : ["server", "network.local.address"] as const;
  const match = /^127\.1\.(\d+)\.(\d+)$/.exec(textOf(span, key));
  if (match !== null) ends[role].add(Number(match[1]) << 8 | Number(match[2]));
}

/** How many numbers from the first one seen up to `made` were not seen; all if none was seen. */
function missing(seen: ReadonlySet<number>, made: number): number {
  const first = seen.values().reduce((least, number) => Math.min(least, number), made);
  return first === made ? made : made - first - seen.size;
}

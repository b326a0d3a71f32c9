/** What a run would do, done for real: programs loaded and attached, and a session seen. */
import { unlessAborted } from "../abort.ts";
import { SessionBatch } from "../session/batch.ts";
import { missingCapabilities } from "../host/capabilities.ts";
import { Capture } from "../capture/capture.ts";
import type { Omission } from "../capture/omission.ts";
import type { CaptureOptions } from "../capture/capture_options.ts";
import { ITERATORS } from "../capture/iterators.ts";
import { HostError, messageOf } from "../messages/errors.ts";
import { HOOKS } from "../capture/hooks.ts";
import type { HostCheck } from "../host/check.ts";
import { deadline, failureOf } from "./failure.ts";
import { OwnSession } from "./own_session.ts";

const PATIENCE_MS = 10_000; // a starved host has taken more than five seconds
const CAPTURE = "capture";
const SESSION = "a session of its own";

/** The result of the trial. */
export interface Trial {
  readonly items: readonly HostCheck[];
  /** Whether the kernel took what is needed. */
  readonly loads: boolean;
  /** The session that was seen, alone in its batch. */
  readonly session: SessionBatch | undefined;
}

/** @param options of a run; nothing is pinned, and what is pinned stays as it is */
export async function tryCapture(options: CaptureOptions): Promise<Trial> {
  const items: HostCheck[] = [];
  try {
    await using capture = await Capture.open({ ...options, pin: undefined });
    items.push({ name: CAPTURE, result: "ok", found: "loaded and attached" });
    items.push(...partsOf(capture));
  } catch (error) {
    return { items: [failureOf(CAPTURE, error)], loads: false, session: undefined };
  }
  const { item, session } = await trySession();
  return { items: [...items, item], loads: true, session };
}

/** What is attached, and what is left out. */
function partsOf({ omissions }: Capture): HostCheck[] {
  const mayEnter = missingCapabilities(["CAP_SYS_ADMIN"]).length === 0;
  const hooks = HOOKS.map(({ program, tracepoint }): HostCheck => {
    const name = `tracepoint ${tracepoint}`;
    const omission = omissions.find(({ key }) => key === program);
    return omission === undefined
      ? { name, result: "ok", found: "attached" }
      : { name, ...resultOf(omission) };
  });
  const rest = omissions.filter(({ key }) => !HOOKS.some(({ program }) => program === key))
    .filter(({ key }) => key !== "namespaces" || mayEnter) // the capability's item reports it
    .map((omission): HostCheck => ({
      name: omission.part.replace(/^the /, ""),
      ...resultOf(omission),
    }));
  const iterators: readonly string[] = Object.values(ITERATORS).flatMap(Object.values);
  if (omissions.some(({ key }) => iterators.includes(key))) return [...hooks, ...rest];
  return [
    ...hooks,
    { name: "iterators over open sockets", result: "ok", found: "attached" },
    ...rest,
  ];
}

function resultOf({ reason, loss }: Omission): Pick<HostCheck, "result" | "found" | "advice"> {
  return { result: "without", found: reason, advice: loss };
}

/** Makes a session and sees it, without the filters of a run, which may exclude it. */
async function trySession(): Promise<{ item: HostCheck; session: SessionBatch | undefined }> {
  const unseen = (result: HostCheck["result"], found: string, advice: string) => ({
    item: { name: SESSION, result, found, advice },
    session: undefined,
  });
  const net = await Deno.permissions.query({ name: "net", host: "127.0.0.1" });
  if (net.state !== "granted") {
    return unseen(
      "without",
      "not tried: Deno's permissions forbid it",
      "run doctor with -A to see one",
    );
  }
  using patience = deadline(PATIENCE_MS);
  try {
    using own = new OwnSession();
    const session = await see(own, patience.signal);
    if (session === undefined) {
      return unseen("no", `made, but not seen within ${PATIENCE_MS / 1000} s`, REPORT);
    }
    const wrong = own.differences(session.at(0));
    if (wrong.length > 0) return { ...unseen("no", wrong.join("; "), REPORT), session };
    const found = "seen; process, bytes and times are right";
    return { item: { name: SESSION, result: "ok", found }, session };
  } catch (error) {
    if (error instanceof HostError && error !== patience.signal.reason) {
      return { item: { advice: REPORT, ...failureOf(SESSION, error) }, session: undefined };
    }
    return unseen("without", `cannot make one on loopback: ${messageOf(error)}`, LOOPBACK);
  }
}

const REPORT = "report it, with all of doctor's output";
const LOOPBACK = "loopback may be down: ip link set lo up\n" +
  "or a firewall may drop what is sent on it: nft list ruleset";

/** The client's end, alone in its batch; undefined if it does not come. */
async function see(own: OwnSession, patience: AbortSignal): Promise<SessionBatch | undefined> {
  const stop = new AbortController();
  await using capture = await Capture.open({
    remotePorts: [own.port],
    ownTraffic: true,
    existing: false,
    signal: AbortSignal.any([stop.signal, patience]),
  });
  const played = unlessAborted(own.play(), patience);
  played.catch(() => stop.abort()); // nothing will come
  let seen: SessionBatch | undefined;
  for await (using batch of capture) {
    for (let i = 0; i < batch.length && seen === undefined; i++) {
      if (own.isToldBy(batch.at(i))) seen = new SessionBatch(batch.slice(i, i + 1).bytes.slice());
    }
    if (seen !== undefined) break;
  }
  await played;
  return seen;
}

/** What an earlier run has left in a spool's folder. */
import { isSystemError, systemReason } from "../../messages/system_error.ts";
import type { QueueCounters } from "../counters.ts";
import type { Delivered } from "./cursor.ts";
import { Segment } from "./segment.ts";
import type { SpoolFolder } from "./folder.ts";

/** What {@linkcode restoreSegments} works with. */
export interface RestoreOptions {
  /** The place before which everything is done. */
  readonly delivered: Delivered | undefined;
  /** Memory of `WINDOW` bytes. */
  readonly window: Uint8Array<ArrayBuffer>;
  /** `restored`, and `corruptBytes` for what is cut, are added to. */
  readonly counters: QueueCounters;
  readonly warn: (message: string) => void;
}

/** The segments in `folder`, with what waits in them. Anything else is left alone, and reported. */
export function restoreSegments(folder: SpoolFolder, options: RestoreOptions): Segment[] {
  const { segments, others } = folder.list();
  const found = segments.map((path) => restore(path, options)).filter((each) => each !== undefined);
  for (const path of others) options.warn(`${path} is left alone: it is no part of a queue`);
  for (const { waiting } of found) options.counters.restored += waiting;
  return found;
}

function restore(path: string, options: RestoreOptions): Segment | undefined {
  let found: Segment | string | undefined;
  try {
    found = Segment.find(path);
    if (found === undefined) {
      Deno.removeSync(path);
      return undefined;
    }
    if (found instanceof Segment) {
      found.waiting = count(found, options);
      found.close();
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    found = systemReason(error);
  }
  if (found instanceof Segment) return found;
  options.warn(`${path} is left alone: ${found}`);
  return undefined;
}

/** Sessions of a segment that are not done. Its end may be torn. */
function count(segment: Segment, { delivered, window, counters, warn }: RestoreOptions): number {
  const isBegun = delivered?.id === segment.id && delivered.offset >= segment.begin;
  if (isBegun) segment.start = delivered;
  const sealed = isBegun ? undefined : segment.sealed();
  if (sealed !== undefined) return sealed;
  const { sessions, cut } = segment.walk(window, segment.start.offset);
  if (cut > 0) {
    counters.corruptBytes += cut;
    warn(
      `${segment.path}: cut ${cut} bytes off its end, which were not wholly written; ` +
        "what is whole is delivered",
    );
  }
  return Math.max(0, sessions - segment.start.sessions);
}

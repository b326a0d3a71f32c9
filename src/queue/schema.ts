/** `sending_queue` and `retry_on_failure`, as the Collector names them. */
import * as z from "../../vendor/zod.js";
import { duration } from "../config/duration.ts";
import { filePath } from "../config/file_path.ts";
import { integer } from "../config/integer.ts";
import { orEmpty, section } from "../config/section.ts";
import { size } from "../config/size.ts";
import { showBytes } from "../messages/words.ts";
import { RETRY_ON_FAILURE as RETRY, SENDING_QUEUE as QUEUE } from "./defaults.ts";

const LEAST_BYTES = 2 ** 16;
const STORAGE = "the path of a folder";

/** Keys that every queue has. */
const keys = {
  enabled: z.boolean().default(QUEUE.enabled)
    .describe("false: hold one batch at most, so that a slow destination loses sessions."),
  queue_size: integer(1, 100_000_000, "a number of sessions").default(QUEUE.queue_size)
    .describe("Sessions held in memory at most."),
  when_full: z.enum(["drop_newest", "drop_oldest"])
    .default(QUEUE.when_full)
    .describe("Which sessions are dropped, and counted, when there is no room."),
  storage: filePath(STORAGE).optional()
    .describe("Folder for sessions that memory has no room for, or that are left at the end."),
  persistent: z.boolean().default(QUEUE.persistent)
    .describe("Every session goes to the storage first, so that a crash loses none."),
  max_bytes: size((bytes) => bytes >= LEAST_BYTES, "a size of at least 64KiB, such as 1GiB")
    .prefault(showBytes(QUEUE.max_bytes))
    .describe("Size of this exporter's part of the storage at most."),
};

const DESCRIPTION = "Sessions waiting for a slow or dead destination.";

/** Makes a check run also when other keys are wrong, so that all problems show at once. */
const always = () => true;

/** The settings that the checks across keys look at. Any of them may still be wrong. */
type Unchecked = Readonly<Record<string, unknown>>;

function checked<Shape extends typeof keys>(shape: Shape) {
  return orEmpty(
    z.strictObject(shape)
      .refine(
        ({ storage, persistent }: Unchecked) => persistent !== true || storage !== undefined,
        {
          path: ["persistent"],
          error: "a storage folder with it",
          when: always,
        },
      )
      .refine(({ storage, enabled }: Unchecked) => storage === undefined || enabled !== false, {
        path: ["storage"],
        error: "none where enabled is false",
        when: always,
      }),
  ).describe(DESCRIPTION);
}

/** `sending_queue` of an exporter that takes one export at a time. */
export const sendingQueue = checked(keys);

/**
 * `sending_queue` of one that takes several.
 * @param consumers how many, if nothing is set
 */
export function sendingQueueWith(consumers: number) {
  return checked({
    ...keys,
    num_consumers: integer(1, 1000, "a number of exports").default(consumers)
      .describe("Exports under way at once."),
  });
}

function interval(fallback: number) {
  return duration().refine((ms) => ms > 0, "a duration above zero").prefault(seconds(fallback));
}

/** As the config file has it. */
function seconds(ms: number): string {
  return `${ms / 1000}s`;
}

/** `retry_on_failure`: tries again what may succeed later. */
export const retryOnFailure = section({
  enabled: z.boolean().default(RETRY.enabled).describe("Try again."),
  initial_interval: interval(RETRY.initial_interval).describe("Wait before the second try."),
  max_interval: interval(RETRY.max_interval).describe("Longest wait between two tries."),
  max_elapsed_time: duration().prefault(seconds(RETRY.max_elapsed_time))
    .describe("Give a batch up after this long; 0s: never."),
}).describe("Tries after one that failed and may succeed later.");

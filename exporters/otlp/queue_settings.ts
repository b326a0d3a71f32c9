/** `sending_queue` and `retry_on_failure`, as the Collector names them. */
import { z } from "zod";
import { duration } from "../../src/config/duration.ts";
import { integer } from "../../src/config/integer.ts";
import { section } from "../../src/config/section.ts";
import { DEFAULTS } from "./defaults.ts";

const { sending_queue: QUEUE, retry_on_failure: RETRY } = DEFAULTS;

/** `sending_queue`: sessions waiting for a slow or dead destination. */
export const sendingQueue = section({
  enabled: z.boolean("true or false").default(QUEUE.enabled)
    .describe("false: hold one batch at most, so that a slow destination loses sessions."),
  queue_size: integer(1, 100_000_000, "a number of sessions").default(QUEUE.queue_size)
    .describe("Sessions held at most; what does not fit is dropped and counted."),
  num_consumers: integer(1, 1000, "a number of exports").default(QUEUE.num_consumers)
    .describe("Exports under way at once."),
}).describe("Sessions waiting for a slow or dead destination.");

function interval(fallback: number) {
  return duration().refine((ms) => ms > 0, "a duration above zero").prefault(seconds(fallback));
}

/** As the config file has it. */
function seconds(ms: number): string {
  return `${ms / 1000}s`;
}

/** `retry_on_failure`: tries after one that may succeed later. */
export const retryOnFailure = section({
  enabled: z.boolean("true or false").default(RETRY.enabled).describe("Try again."),
  initial_interval: interval(RETRY.initial_interval).describe("Wait before the second try."),
  max_interval: interval(RETRY.max_interval).describe("Longest wait between two tries."),
  max_elapsed_time: duration().prefault(seconds(RETRY.max_elapsed_time))
    .describe("Give a batch up after this long; 0s: never."),
}).describe("Tries after one that failed and may succeed later.");

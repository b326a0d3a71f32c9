/** Work of many tests that is done at once, because it mostly waits. */
import { parallel } from "./parallel.ts";

const AT_ONCE = 3; // on two cores

/**
 * A function that returns the result of `work` on an item. Its first call, in a test, does the work
 * on all `items`, some at a time; a failure is thrown only for its own item.
 */
export function together<T, Result>(
  items: readonly T[],
  work: (item: T) => Promise<Result>,
): (item: T) => Promise<Result> {
  let all: Promise<Map<T, PromiseSettledResult<Result>>> | undefined;
  const start = async () => {
    const settle = (item: T) => Promise.allSettled([work(item)]);
    const results = await parallel(items, AT_ONCE, settle);
    return new Map(results.map(([result], i) => [items[i] as T, result])); // one for each
  };
  return async (item) => {
    const result = (await (all ??= start())).get(item);
    if (result === undefined) throw new RangeError("cannot give a result: no such item");
    if (result.status === "rejected") throw result.reason;
    return result.value;
  };
}

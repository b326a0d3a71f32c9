/** Does work on all items, some at a time. @returns the results in the order of the items */
export async function parallel<T, Result>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

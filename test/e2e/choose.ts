/** Items of lists that must be there. */
import assert from "node:assert/strict";

/** The only item. */
export function only<T>(items: readonly T[]): T {
  assert.equal(items.length, 1);
  return itemOf(items, 0);
}

/** The item at an index that the list has. */
export function itemOf<T>(items: readonly T[], index: number): T {
  const item = items[index];
  assert.ok(item !== undefined, `there is no item ${index} among ${items.length}`);
  return item;
}

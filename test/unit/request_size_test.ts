/** How much goes into one request. */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { RequestSize } from "../../exporters/otlp/request_size.ts";

const MINUTE = 60_000; // ms

Deno.test("RequestSize remembers what went through, and tries more after ten minutes", () => {
  let now = 5 * MINUTE;
  const size = new RequestSize(1000, () => now);
  strictEqual(size.bytes, 1000);
  now += 20 * MINUTE;
  size.remember(300);
  strictEqual(size.bytes, 300);
  size.remember(400); // another consumer's, which was refused more
  strictEqual(size.bytes, 300);
  const found = [9, 10, 15, 19, 20, 40].map((minutes) => {
    now = (25 + minutes) * MINUTE;
    return size.bytes;
  });
  deepStrictEqual(found, [300, 600, 600, 600, 1000, 1000]);
});

Deno.test("RequestSize puts a batch into one request, or into equal ones once it knows its spans", () => {
  const size = new RequestSize(1000);
  strictEqual(size.sessionsIn(1000, 4096), 4096);
  size.measure(2000, 200); // 10 bytes a span
  const rows: readonly [bytes: number, waiting: number, sessions: number][] = [
    [1000, 0, 0],
    [1000, 1, 1],
    [1000, 100, 100],
    [1000, 101, 51],
    [1000, 200, 100],
    [1000, 201, 67],
    [19, 2, 1],
    [5, 7, 1], // less than one span: one at least
  ];
  for (const [bytes, waiting, sessions] of rows) {
    strictEqual(size.sessionsIn(bytes, waiting), sessions, `${waiting} in ${bytes}`);
  }
});

/** What scans of the host may take of the time. */
import assert from "node:assert/strict";
import { ScanBudget } from "../../src/host/scan_budget.ts";
import { stopClock } from "../clock.ts";

Deno.test("scans may run at once, until the burst is used up", () => {
  using clock = stopClock();
  const scans = new ScanBudget(50);
  for (let i = 0; i < 5; i++) {
    assert.ok(scans.allows);
    scans.spend(() => clock.advance(12));
  }
  assert.ok(!scans.allows);
});

Deno.test("then they take a 20th of the time, however many share the budget", () => {
  using clock = stopClock();
  const scans = new ScanBudget(50);
  let scanningMs = 0;
  for (let ms = 0; ms < 60_000; ms++) {
    clock.advance(1);
    for (const _ of ["addresses", "cgroups"]) {
      if (!scans.allows) continue;
      scans.spend(() => clock.advance(7));
      scanningMs += 7;
      ms += 7;
    }
  }
  assert.ok(scanningMs > 2900 && scanningMs < 3100, `${scanningMs} ms of 60,000`);
});

Deno.test("a scan that takes longer than the burst is paid for afterwards", () => {
  using clock = stopClock();
  const scans = new ScanBudget(50);
  scans.spend(() => clock.advance(1050));
  assert.ok(!scans.allows);
  clock.advance(18_900);
  assert.ok(!scans.allows);
  clock.advance(100);
  assert.ok(scans.allows);
});

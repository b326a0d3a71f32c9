/** The owner of a session's end, field by field. */
import { strict as assert } from "node:assert";
import type { Session } from "../../src/session/session.ts";
import type { ProcessTruth } from "./actor.ts";

const TICK_NS = 10_000_000n; // of the times in /proc/PID/stat

/** Fails unless everything that a record says about a process is `owner`'s. */
export function assertOwner(end: Session, owner: ProcessTruth): void {
  assert.equal(end.pid, owner.pid);
  assert.equal(end.uid, owner.uid);
  assert.equal(end.comm, owner.comm);
  assert.equal(end.executable, owner.exe);
  assert.equal(end.processStartBootNs / TICK_NS, BigInt(owner.start_ticks));
  assert.equal(end.cgroupId, owner.cgroup_id);
  assert.equal(end.netns, owner.netns);
}

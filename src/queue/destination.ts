/** An exporter as a queue uses it. */
import { Deadline, unlessAborted } from "../abort.ts";
import type { Exporter, ExportOutcome } from "../exporter.ts";
import { messageOf } from "../messages/errors.ts";
import type { SessionBatch } from "../session/batch.ts";

/** Knows which exports of its exporter are under way, so that it is shut down after the last one. */
export class Destination {
  #underWay = 0;
  #ended: (() => void) | undefined; // waits for the last export

  constructor(readonly exporter: Exporter) {}

  /**
   * Exports a batch; `signal` cuts that short, whatever the exporter does. One that ends at once then
   * can still say which sessions it had delivered. Never rejects.
   */
  async export(batch: SessionBatch, signal: AbortSignal): Promise<ExportOutcome> {
    this.#underWay++;
    try {
      signal.throwIfAborted();
      const work = this.exporter.export(batch, signal);
      try {
        return await unlessAborted(work, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        using end = new Deadline(0, signal.reason);
        return await unlessAborted(work, end.signal);
      }
    } catch (error) {
      return { status: "failure", reason: messageOf(error) };
    } finally {
      if (--this.#underWay === 0) this.#ended?.();
    }
  }

  /**
   * Shuts the exporter down once its exports have ended. Call it once, and export nothing after it.
   * @param signal cuts that short
   * @throws what the exporter throws, and the signal's reason
   */
  async shutDown(signal: AbortSignal): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#ended = resolve);
    await unlessAborted(this.exporter.shutdown(), signal);
  }
}

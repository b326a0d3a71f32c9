/** How these cases are written. */
import { strict as assert } from "node:assert";
import type { Case, ExpectedEnd } from "../../case.ts";
import type { Stage } from "../../stage.ts";

/** What happens once the tracers run. @param old what `ended()` needs for an end from before */
type Rest = (old: Partial<ExpectedEnd>) => Promise<ExpectedEnd[]>;

/** @param before makes what is open when the tracers start. @returns what happens then */
export function existing(name: string, before: (stage: Stage) => Promise<Rest>): Case {
  const rests = new WeakMap<Stage, Rest>();
  return {
    name,
    section: "existing",
    before: async (stage) => rests.set(stage, await before(stage)),
    act: async (stage) => {
      const rest = rests.get(stage);
      assert.ok(rest !== undefined && stage.tracing !== undefined);
      return await rest({
        startObserved: false,
        start: stage.tracing, // the processes are older
        established: undefined,
        ownerSource: "fd_table",
      });
    },
  };
}

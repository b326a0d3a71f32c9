/** SIGKILL at random moments. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { drain, openSpool, pidRange } from "../spool.ts";
import { makeTempFolder } from "../temp_folder.ts";

const ROUNDS = 15;
const PROGRAM = fileURLToPath(new URL("../programs/push.ts", import.meta.url));

/** Runs the program and kills it within 100 ms of its first push. @returns its lines */
async function pushUntilKilled(storage: string, first: number): Promise<string[]> {
  const args = ["run", "-A", "--frozen", "--no-check", PROGRAM, storage, String(first)];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const decoder = new TextDecoder();
  let text = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    timer ??= setTimeout(() => child.kill("SIGKILL"), Math.random() * 100);
  }
  assert.equal((await child.status).signal, "SIGKILL");
  return text.split("\n").slice(0, -1); // what follows the last line end is incomplete
}

Deno.test("a persistent queue that is killed repeatedly loses nothing that was pushed", async () => {
  await using folder = await makeTempFolder();
  const delivered = new Set<number>();
  const deliver = (pid: number) => delivered.add(pid);
  const pushed: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const line of await pushUntilKilled(folder.path, 1 + round * 1_000_000)) {
      const [what, ...words] = line.split(" ");
      const [first = 0, count = 0] = words.map(Number);
      if (what === "pushed") pushed.push(...pidRange(first, count));
      if (what === "delivered") words.map(Number).forEach(deliver);
      if (what === "warning") assert.doesNotMatch(line, /damaged|left alone|lost|cannot/);
    }
  }
  await using open = openSpool(folder.path, { maxBytes: 64 * 2 ** 20 });
  drain(open.spool).forEach(deliver);
  assert.equal(open.counters.corrupt, 0);
  assert.ok(pushed.length > ROUNDS * 100, `${pushed.length} pushed`);
  assert.deepEqual(pushed.filter((pid) => !delivered.has(pid)), []);
});

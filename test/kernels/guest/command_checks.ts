/** The command, as a user starts it. */
import { strict as assert } from "node:assert";
import { TextLineStream } from "../../lines.ts";
import type { Check } from "./check.ts";
import { play } from "./play.ts";
import type { Ended } from "./result.ts";

const COMMAND = ["run", "-A", "--no-lock", "--cached-only", "--no-check", "mod.ts"];

/** Runs it to the end. */
export async function tcpspan(...args: readonly string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...COMMAND, ...args],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, text: `${text.decode(stdout)}${text.decode(stderr)}`.trimEnd() };
}

/** Commands that need no network and no cache of modules. */
export const COMMAND_CHECKS: readonly Check[] = [
  {
    name: "command: a table",
    async run() {
      const child = new Deno.Command(Deno.execPath(), {
        args: COMMAND,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const said: string[] = [];
      const rows: string[] = [];
      const errors = child.stderr.pipeThrough(new TextLineStream()).getReader();
      const table = child.stdout.pipeThrough(new TextLineStream()).getReader();
      try {
        await readUntil(errors, said, (line) => line.includes("tracing"));
        const port = await play(2048, 1024);
        let found = 0;
        await readUntil(table, rows, (line) => line.includes(` ${port} `) && ++found === 2);
        const ends = rows.filter((line) => line.includes(` ${port} `)).map((row) =>
          row.split(/ +/)
        );
        const owner = [`${Deno.pid}`, "deno"];
        for (const end of ends) assert.deepEqual(end.slice(0, 2), owner);
        assert.deepEqual(ends.map((end) => end.slice(6, 8).join()).sort(), ["1,2", "2,1"]);
      } catch (error) {
        throw new Error([error, ...said, ...rows].join("\n"), { cause: error });
      } finally {
        child.kill("SIGTERM");
        await Promise.all([errors.cancel(), table.cancel()]);
      }
      const { code } = await child.status;
      assert.equal(code, 0);
    },
  },
  {
    name: "command: doctor",
    async run() {
      const { code, text } = await tcpspan("doctor");
      assert.equal(code, 0, text);
    },
  },
];

/** Reads lines up to one that matches `last`, and keeps them. */
async function readUntil(
  reader: ReadableStreamDefaultReader<string>,
  kept: string[],
  last: (line: string) => boolean,
): Promise<void> {
  for (;;) {
    const { value } = await reader.read();
    assert.ok(value !== undefined, "the command ended");
    kept.push(value);
    if (last(value)) return;
  }
}

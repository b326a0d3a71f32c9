import assert from "node:assert/strict";
import { parseArguments } from "../../src/command_line/parse.ts";
import { toText, unlessWrong } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

/** Any command line, one argument a line, gives something to do, or an error. */
fuzz("flags", (bytes) => {
  const parsed = unlessWrong(() => parseArguments(toText(bytes).split("\n")));
  if (parsed?.command !== "run") return;
  for (const number of [...parsed.pids ?? [], ...parsed.localPorts ?? []]) {
    assert.ok(Number.isSafeInteger(number) && number > 0);
  }
  assert.ok(parsed.duration === undefined || parsed.duration > 0);
}, {
  tokens: "-p -L -D -T -t -w -s -4 -6 -h -V -c --pid= --duration --config -- config check doctor"
    .split(" ").flatMap((flag) => [flag, `\n${flag}\n`]).concat(
      "1,2",
      "0",
      "1e3",
      "65536",
      "\x1b[",
    ),
});

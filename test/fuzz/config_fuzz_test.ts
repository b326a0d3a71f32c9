import { exporterTypes } from "../../exporters/registry.ts";
import { loadExample } from "../../src/config/example.ts";
import { loadConfig, loadSchemas } from "../../src/config/load.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { assertSafeLine } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const schemas = await loadSchemas(exporterTypes);
const EXAMPLE = await loadExample(exporterTypes);
const file = await Deno.makeTempFile({ prefix: "tcpspan-fuzz-" });
const env = (name: string) => name === "X" ? "1" : undefined;

addEventListener("unload", () => Deno.removeSync(file));

/** Any bytes in a config file give a config, or lines that say what is wrong. */
fuzz("config", async (bytes) => {
  await Deno.writeFile(file, bytes);
  try {
    await loadConfig(file, { env, schemas });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const line of error.message.split("\n")) assertSafeLine(line);
  }
}, {
  most: 2 ** 15,
  runs: 150,
  tokens: [
    ...EXAMPLE.matchAll(/[a-z_/]+(?=:)/g).map(([word]) => word),
    ..."{ } [ ] : - ? , & * ! | > %".split(" ").map((sign) => `${sign} `),
    "&a ",
    "*a ",
    "!!binary ",
    "!!set ",
    "<<: *a",
    "\n  ",
    "\n---\n",
    "${env:X}",
    "$${",
    "__proto__: ",
    "constructor: ",
    "\ufeff",
    "\u202e",
    "\x1b[2J",
    "1e999",
    "0x7fffffffffffffff",
    "99999999999999999999999",
    ".inf",
    ".nan",
    "-0",
  ],
});

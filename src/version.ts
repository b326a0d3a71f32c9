/** The program's version: that of deno.json. */
import config from "../deno.json" with { type: "json" };

/** As `tcpspan --version` prints it. */
export const VERSION: string = config.version;

/** The program's version: that of deno.json. */
import config from "../deno.json" with { type: "json" };

/** As in `tcpspan --version`. */
export const VERSION: string = config.version;

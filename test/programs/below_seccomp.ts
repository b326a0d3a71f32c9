/**
 * Runs a command below a seccomp filter, as container runtimes put one there: `NAME[,NAME] COMMAND…`
 * refuses those system calls, and none where there is no name.
 */
import { denySystemCalls } from "../../ffi/seccomp.ts";

const [names = "", command = "", ...args] = Deno.args;
denySystemCalls(names.split(",").filter((name) => name !== "").map((name) => ({ name })));
const { code } = await new Deno.Command(command, { args, stdin: "inherit" }).spawn().status;
Deno.exit(code);

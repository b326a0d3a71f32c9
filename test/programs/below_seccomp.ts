/**
 * Runs a command under a seccomp filter, as container runtimes do: `NAME[,NAME] COMMAND…`
 * refuses those system calls, or none without a name.
 */
import { denySystemCalls } from "../../ffi/seccomp.ts";

const [names = "", command = "", ...args] = Deno.args;
denySystemCalls(names.split(",").filter((name) => name !== "").map((name) => ({ name })));
const { code } = await new Deno.Command(command, { args, stdin: "inherit" }).spawn().status;
Deno.exit(code);

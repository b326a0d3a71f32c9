/** Runs a command below a seccomp filter that refuses bpf(2), as those of container runtimes do. */
import { denySystemCalls } from "../../ffi/seccomp.ts";

denySystemCalls([{ name: "bpf" }]);
const [command = "", ...args] = Deno.args;
const { code } = await new Deno.Command(command, { args, stdin: "inherit" }).spawn().status;
Deno.exit(code);

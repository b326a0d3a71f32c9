/** tcpspan with some commands of bpf(2) refused: `COMMAND[,COMMAND] ARGUMENT…`. */
import { exporterTypes } from "../../exporters/registry.ts";
import { denySystemCalls } from "../../ffi/seccomp.ts";
import { main } from "../../src/command_line/main.ts";

const COMMANDS = 40; // include/uapi/linux/bpf.h, enum bpf_cmd

const [refused = "", ...args] = Deno.args;
const commands = refused.split(",").map(Number);
const rest = Array.from({ length: COMMANDS }, (_, i) => i).filter((i) => !commands.includes(i));
denySystemCalls([{ name: "bpf", except: rest }]);
Deno.exit(await main(args, exporterTypes));

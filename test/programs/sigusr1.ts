/** Runs on with SIGUSR1 ignored (`ignore`) or listened to (`listen`), and says when it is. */
import { ignoreSignal } from "../../ffi/signals.ts";

if (Deno.args[0] === "ignore") ignoreSignal("SIGUSR1");
else Deno.addSignalListener("SIGUSR1", () => {});
console.log("ready");
setTimeout(() => {}, 60_000);

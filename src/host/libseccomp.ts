/** What `drop_privileges` needs. */
import { openLibseccomp } from "../../ffi/seccomp.ts";
import { messageOf } from "../messages/errors.ts";
import type { HostCheck } from "./check.ts";

/** Whether it can be loaded. */
export function checkLibseccomp(): HostCheck {
  const name = "libseccomp";
  try {
    openLibseccomp();
    return { name, result: "ok", found: "libseccomp.so.2" };
  } catch (error) {
    return {
      name,
      result: "without",
      found: messageOf(error).replace(/^(Could not open library: )+/, ""),
      advice: "drop_privileges has no effect; install the package libseccomp2",
    };
  }
}

/** What `drop_privileges` needs. */
import { openLibseccomp } from "../../ffi/seccomp.ts";
import { messageOf } from "../errors.ts";
import type { HostCheck } from "./check.ts";

/** @param wanted whether the config asks for `drop_privileges` */
export function checkLibseccomp(wanted: boolean): HostCheck {
  const name = "libseccomp";
  try {
    openLibseccomp();
    return { name, result: "ok", found: "libseccomp.so.2" };
  } catch (error) {
    const found = messageOf(error).replace(/^(Could not open library: )+/, "");
    return wanted
      ? {
        name,
        result: "no",
        found,
        advice: "install the package libseccomp2, or leave out drop_privileges",
      }
      : {
        name,
        result: "without",
        found,
        advice: "drop_privileges cannot be used; install the package libseccomp2",
      };
  }
}

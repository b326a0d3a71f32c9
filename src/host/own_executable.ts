/** What Deno itself needs of /proc. */
import { HostError } from "../messages/errors.ts";
import { withAdvice } from "./host_error.ts";

const LINK = "/proc/self/exe";

/**
 * Call it before the first import of `node:process`, which npm packages have: without /proc Deno
 * panics there, since it looks for its executable (ext/os/lib.rs, op_exec_path).
 * @throws {HostError} if it would
 */
export function requireOwnExecutable(): void {
  // without --allow-all Deno does not show the link: nothing is known then
  if (Deno.permissions.querySync({ name: "read", path: LINK }).state !== "granted") return;
  try {
    Deno.readLinkSync(LINK);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return;
    throw new HostError(withAdvice(
      `cannot run here: there is no ${LINK}, which Deno needs for flags, and for all but a table or ` +
        "CSV",
      ["mount /proc: mount -t proc proc /proc"],
    ));
  }
}

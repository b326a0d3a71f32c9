import * as z from "../../vendor/zod.js";

/** As a shell would expand it: `~`, `$HOME`. */
const FOR_A_SHELL = /^(~|\$[A-Za-z_]\w*)([/:]|$)/;

/**
 * A config value that is the path of a file, which need not exist.
 * @param expected what is expected, for messages
 */
export function filePath(expected = "the path of a file"): z.ZodString {
  return z.string(expected).min(1, expected).refine(
    (path) => !FOR_A_SHELL.test(path),
    `${expected}, in which ~ and $NAME do not expand, but \${env:NAME} does`,
  );
}

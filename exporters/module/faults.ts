/** Errors that a foreign exporter throws where nothing can catch them: in a timer, on a socket. */
import { messageOf } from "../../src/messages/errors.ts";
import { Limiter, NOTICE_INTERVAL_MS } from "../../src/messages/limiter.ts";

/** The program's own folders and file, whose uncaught errors are bugs that must end it. */
const OWN = ["ffi/", "src/", "exporters/", "mod.ts"].map((name) =>
  new URL(`../../${name}`, import.meta.url).href
);

/**
 * Keeps the program alive when code that is not its own throws in the background, until the result
 * is disposed of. It reports one such error a minute, with the number so far.
 */
export function surviveFaults(warn: (message: string) => void): Disposable {
  let count = 0;
  const notice = new Limiter(NOTICE_INTERVAL_MS);
  const survive = (event: Event, error: unknown) => {
    if (event.defaultPrevented || isOwn(error)) return;
    event.preventDefault();
    count++;
    if (!notice.allows()) return;
    warn(`uncaught error in the background, ${count} so far: ${messageOf(error)}`);
  };
  const onError = (event: ErrorEvent) => survive(event, event.error);
  const onRejection = (event: PromiseRejectionEvent) => survive(event, event.reason);
  addEventListener("error", onError);
  addEventListener("unhandledrejection", onRejection);
  return {
    [Symbol.dispose]() {
      removeEventListener("error", onError);
      removeEventListener("unhandledrejection", onRejection);
    },
  };
}

/** Whether the innermost frame of a script, not of Deno itself, is the program's own. */
function isOwn(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const [frame = ""] = /\b(?:file|https?|data|blob):\S+/.exec(stackFrames(error)) ?? [];
  return OWN.some((url) => frame.startsWith(url));
}

/** The stack without the message in front, which may hold a URL. */
function stackFrames(error: Error): string {
  return error.stack?.split("\n").filter((line) => /^\s+at /.test(line)).join("\n") ?? "";
}

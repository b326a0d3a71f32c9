/** Answers of a proxy to requests that it was sent as if it was the server. */
import { hostPortOf } from "./connection/host.ts";
import type { ConnectionOptions } from "./connection/options.ts";
import { asksProxy } from "./connection/proxy.ts";
import { explainRefusal } from "./connection/proxy_refusal.ts";
import type { HttpAnswer } from "./http_answer.ts";

/**
 * Why the proxy did not pass a request on; undefined if the server answered. Nothing in an answer
 * says whose it is. It counts as the proxy's if it has none of OTLP's types and says that the server
 * cannot be reached or is not allowed: as the proxy's it is tried again.
 */
export function refusalOf(answer: HttpAnswer, options: ConnectionOptions): string | undefined {
  if (!asksProxy(options)) return undefined;
  const { endpoint, proxy } = options;
  const { status, statusText, header } = answer;
  const isOtlp = /^application\/(x-protobuf|json)\b/i.test(header("content-type") ?? "");
  const isOfProxy = status === 407 ||
    (status === 403 || status >= 500) && !isOtlp && header("retry-after") === undefined;
  if (!isOfProxy) return undefined;
  return explainRefusal(status, statusText, proxy, hostPortOf(endpoint));
}

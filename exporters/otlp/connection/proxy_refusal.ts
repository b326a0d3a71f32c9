/** Why a proxy refuses to pass something on. */
import { STATUS_CODES } from "node:http";
import type { Proxy } from "./proxy.ts";

/**
 * What a proxy's answer says, with what to change.
 * @param target the endpoint's host and port
 */
export function explainRefusal(
  status: number,
  statusText: string,
  { authorization, variable }: Proxy,
  target: string,
): string {
  const text = statusText || STATUS_CODES[status] || "";
  const line = `the proxy answers HTTP ${status} ${text}`.trim();
  if (status === 407) {
    return authorization === undefined
      ? `${line}: put its user name and password into ${variable}, as http://USER:PASSWORD@HOST:PORT`
      : `${line}: check the user name and the password in ${variable}`;
  }
  return status >= 500
    ? `${line}: it cannot reach ${target}`
    : `${line}: it must allow ${target}, or no_proxy must name that host`;
}

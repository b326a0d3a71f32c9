/** Which hosts are reached without a proxy. */
import { isCidr } from "../../../src/net/cidr.ts";
import { Networks } from "../../../src/net/networks.ts";
import { bareHost, portOf } from "./host.ts";

/** Names of the host itself, as /etc/hosts usually has them. */
const LOOPBACK_NAMES: ReadonlySet<string> = new Set([
  "localhost",
  "localhost.localdomain",
  "ip6-localhost",
  "ip6-loopback",
]);
/** The kernel takes 0.0.0.0 and :: for loopback. */
const LOOPBACK = new Networks(["127.0.0.0/8", "0.0.0.0", "::1", "::"]);

/** Whether a URL leads to the host itself: a proxy on another host would lead to that one. */
export function leadsToLoopback(url: URL): boolean {
  const host = hostOf(url);
  return LOOPBACK_NAMES.has(host) || host.endsWith(".localhost") || isIn(host, LOOPBACK);
}

/**
 * Whether `no_proxy` names the host of a URL, as curl reads it: names with everything below them
 * (`example.com`, `.example.com`, `*.example.com`), addresses, networks (`10.0.0.0/8`), each also
 * with a port, or `*` for all; separated by commas or spaces.
 */
export function isExempt(url: URL, noProxy: string): boolean {
  const host = hostOf(url);
  const port = portOf(url);
  return noProxy.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const [, inBrackets, bare, ownPort = port] = isCidr(entry)
      ? [entry, undefined, entry]
      : /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(entry) ?? [];
    const name = inBrackets ?? bare;
    if (name === undefined || Number(ownPort) !== port) return false;
    return isCidr(name) ? isIn(host, new Networks([name])) : isBelow(host, name);
  });
}

function isIn(host: string, networks: Networks): boolean {
  return isCidr(host) && networks.has(host, host.includes(":") ? "ipv6" : "ipv4");
}

function isBelow(host: string, name: string): boolean {
  const url = URL.parse(`http://${name.replace(/^\*?\.+/, "")}`);
  if (url === null) return false;
  const domain = hostOf(url);
  return domain !== "" && (host === domain || host.endsWith(`.${domain}`) && !isCidr(host));
}

/** The host, without brackets and without the dot that ends a complete name. */
function hostOf(url: URL): string {
  return bareHost(url).replace(/\.$/, "");
}

/** The host and the port in a URL. */

/** The host, without the brackets of IPv6. */
export function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** The port: without one in the URL, the default of http or https. */
export function portOf({ port, protocol }: URL): number {
  return Number(port || (protocol === "https:" ? 443 : 80));
}

/** `host:port`, IPv6 in brackets. */
export function hostPortOf(url: URL): string {
  return `${url.hostname}:${portOf(url)}`;
}

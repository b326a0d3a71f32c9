/** The proxy that an endpoint is reached through. */
import { UsageError } from "../../../src/messages/errors.ts";
import { bareHost, portOf } from "./host.ts";
import { isExempt, leadsToLoopback } from "./no_proxy.ts";
import { basicAuthorization } from "./url_credentials.ts";

/** A proxy, and how it is asked. */
export interface Proxy {
  /** http: or https:; may hold credentials. */
  readonly url: URL;
  /** The environment variable that names it. */
  readonly variable: string;
  /** A secret; undefined if the URL has no credentials. */
  readonly authorization: string | undefined;
}

/**
 * The proxy for `endpoint`, from the variables that curl and gRPC read; each also in upper case,
 * where lower case wins. Undefined for loopback, and for what no_proxy names.
 * @param protocol gRPC has variables of its own, which win
 * @throws {UsageError} if the variable that counts names no HTTP proxy
 */
export function proxyOf(
  endpoint: URL,
  protocol: "http" | "grpc",
  env: (name: string) => string | undefined,
): Proxy | undefined {
  if (leadsToLoopback(endpoint)) return undefined;
  const isGrpc = protocol === "grpc";
  const exempt = find(env, [...isGrpc ? ["no_grpc_proxy"] : [], "no_proxy"]);
  if (exempt !== undefined && isExempt(endpoint, exempt.value)) return undefined;
  const ofScheme = endpoint.protocol === "https:" ? "https_proxy" : "http_proxy";
  const found = find(env, [...isGrpc ? ["grpc_proxy"] : [], ofScheme, "all_proxy"]);
  return found && parse(found.value, found.variable);
}

/** The first of `names` that is set. */
function find(
  env: (name: string) => string | undefined,
  names: readonly string[],
): { readonly variable: string; readonly value: string } | undefined {
  for (const variable of names.flatMap((name) => [name, name.toUpperCase()])) {
    const value = env(variable)?.trim() ?? "";
    if (value !== "") return { variable, value };
  }
  return undefined;
}

/** @throws {UsageError} that does not show `text`, as it may hold a password */
function parse(text: string, variable: string): Proxy {
  const [, scheme = "http"] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (!/^https?$/i.test(scheme) || url === null) {
    const found = url === null ? "something else" : `a ${scheme.toLowerCase()} proxy`;
    throw new UsageError(
      `cannot use ${variable}: found ${found}: expected http://HOST:PORT or https://HOST:PORT, ` +
        "or the endpoint's host in no_proxy",
    );
  }
  return { url, variable, authorization: basicAuthorization(url) };
}

/** Where the proxy is, for `connect` of node:net. */
export function addressOf({ url }: Proxy): { readonly host: string; readonly port: number } {
  return { host: bareHost(url), port: portOf(url) };
}

/** Headers that are for the proxy alone. */
export function proxyHeaders({ authorization }: Proxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { "proxy-authorization": authorization };
}

/**
 * Whether requests over HTTP go to the proxy as if it was the server, and not through a tunnel: many
 * proxies let nothing but TLS through a tunnel.
 */
export function asksProxy<
  Options extends { readonly endpoint: URL; readonly proxy?: Proxy | undefined },
>(
  options: Options,
): options is Options & { readonly proxy: Proxy } {
  return options.proxy !== undefined && options.endpoint.protocol === "http:";
}

/** Endpoints of OTLP: URLs, and for gRPC also `host:port`. */

/** Whether `text` is a URL with the scheme http or https and a host. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^/]/i.test(text) && URL.canParse(text);
}

/** Whether `text` is `host:port`, where host is a name, an IPv4 address, or IPv6 in brackets. */
export function isHostPort(text: string): boolean {
  const [, port] = /^(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65535 &&
    URL.canParse(`http://${text}`);
}

/** Whether a URL already has what is added to a base URL: a signal's path. */
export function hasSignalPath(text: string): boolean {
  return /\/v1\/(?:traces|metrics|logs)\/*$/.test(URL.parse(text)?.pathname ?? "");
}

/** Whether a URL has such a path twice. */
export function hasPathTwice(text: string): boolean {
  return /\/v1\/(?:traces|metrics)\/+v1\/(?:traces|metrics)\/*$/.test(
    URL.parse(text)?.pathname ?? "",
  );
}

/** What endpoints must be, except for grpc. */
export const URL_EXPECTED = "an http or https URL such as http://localhost:4318";
/** What `endpoint` and its variable take instead. */
export const BASE_EXPECTED = "the URL without /v1/traces, which is added; " +
  "traces_endpoint takes a whole one";
/** What `traces_endpoint` and its variable take instead. */
export const ONE_PATH_EXPECTED = "/v1/traces once";

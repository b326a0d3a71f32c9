/** What to change when a server refuses what was sent. */

const NO_CREDENTIALS = "set headers to the credentials that it wants";
const WRONG_CREDENTIALS = "check headers: these credentials may not send there";

/** For an answer that is final; empty if it says itself what is wrong. */
export function adviceForStatus(status: number, endpoint: URL, contentType: string): string {
  switch (status) {
    case 401:
      return NO_CREDENTIALS;
    case 403:
      return WRONG_CREDENTIALS;
    case 404:
      return /\/v1\/(?:traces|metrics)\/v1\//.test(endpoint.pathname)
        ? "the path is there twice: endpoint is the URL without it, traces_endpoint the whole URL"
        : "check the port and the path: /v1/traces is added to endpoint, not to traces_endpoint";
    case 405:
      return "check the port and the path: this is no OTLP receiver";
    case 415:
      return `it does not take ${contentType}: set another protocol`;
    default:
      return "";
  }
}

/** What servers say of plain HTTP on a port for TLS: Go, nginx, Apache. */
const EXPECTS_TLS =
  /HTTP request (?:to an HTTPS server|was sent to HTTPS port)|plain HTTP to an SSL-enabled/i;
/** What nginx says. */
const EXPECTS_CERTIFICATE = /No required SSL certificate was sent/i;

/**
 * What is wrong with the connection, if a server could say so in an answer over HTTP.
 * @param body what was read of it
 */
export function mistakeOf(status: number, body: Uint8Array): string | undefined {
  if (status < 400 || status > 499) return undefined;
  const text = new TextDecoder().decode(body);
  if (EXPECTS_TLS.test(text)) {
    return `HTTP ${status}: the server speaks TLS there: write https:// instead of http://`;
  }
  if (EXPECTS_CERTIFICATE.test(text)) {
    return `HTTP ${status}: the server wants a client certificate: ` +
      "set tls.cert_file and tls.key_file";
  }
  return undefined;
}

/** By name of a gRPC status; as {@linkcode adviceForStatus}. */
export const ADVICE_FOR_CODE: Readonly<Record<string, string>> = {
  PERMISSION_DENIED: WRONG_CREDENTIALS,
  UNAUTHENTICATED: NO_CREDENTIALS,
  UNIMPLEMENTED: "check the port: no OTLP receiver takes this signal there",
};

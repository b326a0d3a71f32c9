/** What went wrong on the way to a server, in words, with what to change. */
import { Buffer } from "node:buffer";
import type { TlsFiles } from "./tls.ts";

/** How it was tried. */
export interface Attempt {
  readonly protocol: "http" | "grpc";
  /** What answers, or does not. */
  readonly party: "server" | "proxy";
  /** The URL of `party`. */
  readonly endpoint: URL;
  readonly tls?: TlsFiles | undefined;
  /** Whether connections are made to a proxy, whoever answers. */
  readonly isProxied?: boolean;
}

/** An error whose message is already what a user reads. */
export class ExplainedError extends Error {}

/** Errors of the operating system and of name resolution. */
const BY_CODE: Readonly<Record<string, string>> = {
  EACCES: "a firewall of this host does not allow it",
  EADDRNOTAVAIL: "this host has no address to connect from",
  EAI_AGAIN: "the host's name cannot be resolved now",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  EINVAL: "this host cannot connect to such an address",
  EMFILE: "too many open files: raise ulimit -n",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "no such host",
  EPERM: "a firewall of this host does not allow it",
  EPIPE: "connection closed",
  ETIMEDOUT: "connection timed out",
};

/** Errors before there is a connection. */
const UNCONNECTED: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "EINVAL",
  "EMFILE",
  "ENETUNREACH",
  "ENOTFOUND",
  "ETIMEDOUT",
]);

const HTTP_PORT = "the port of OTLP over HTTP, usually 4318";
const GRPC_PORT = "the port of OTLP over gRPC, usually 4317";

/** What messages of Deno's TLS, HTTP and HTTP/2 mean. The first that matches counts. */
const BY_MESSAGE: readonly (readonly [
  pattern: RegExp,
  words: (attempt: Attempt, match: RegExpExecArray) => string,
])[] = [
  [
    /self-signed certificate/i,
    (attempt) =>
      `the ${attempt.party}'s self-signed certificate is not trusted here: ${trustAdvice(attempt)}`,
  ],
  [
    /unable to (?:verify the first|get (?:local )?issuer) certificate|UnknownIssuer/,
    (attempt) =>
      `the authority that signed the ${attempt.party}'s certificate is not trusted here: ` +
      trustAdvice(attempt),
  ],
  [
    /certificate (?:has )?expired/i,
    ({ party }) => `the ${party}'s certificate has expired: renew it, or set this host's clock`,
  ],
  [
    /certificate is not yet valid|NotValidYet/i,
    ({ party }) => `the ${party}'s certificate is not yet valid: check the clocks of both hosts`,
  ],
  [
    /not match certificate's altnames(?:.*(?:altnames|list|CN): (.*))?$/s,
    ({ endpoint, party }, [, names = ""]) =>
      `the ${party}'s certificate is not for ${endpoint.hostname}: use a name that it is for, or ` +
      `renew it; its altnames: ${names.slice(0, 100) || "none"}`,
  ],
  [
    /alert:? CertificateRequired/,
    () =>
      "the server wants a client certificate (CertificateRequired): " +
      "set tls.cert_file and tls.key_file",
  ],
  [
    /alert:? ((?:Bad|Unsupported|Unknown)?Certificate(?:Revoked|Expired|Unknown)?|UnknownCA|AccessDenied)\b/,
    (_, [, alert = ""]) =>
      `the server does not accept the client's certificate (${alert}): ` +
      "check tls.cert_file and tls.key_file",
  ],
  [
    /NoApplicationProtocol/,
    ({ protocol }) =>
      protocol === "grpc"
        ? `the server has no HTTP/2 there, so no gRPC: use ${GRPC_PORT}, or protocol: http/protobuf`
        : `the server has no HTTP/1.1 there: set protocol: grpc, or use ${HTTP_PORT}`,
  ],
  [
    /alert:? (HandshakeFailure|ProtocolVersion|InsufficientSecurity)|peer is incompatible/,
    () => "the server and tcpspan have no version and cipher of TLS in common: it needs TLS 1.2",
  ],
  [
    /InvalidContentType|wrong version number|invalid content type/i,
    ({ party }) =>
      `the ${party} does not speak TLS there: write http:// instead of https://, ` +
      "or use its port for TLS",
  ],
  [
    /^Protocol error$/i,
    () =>
      `the server does not speak HTTP/2 there, so no gRPC: use ${GRPC_PORT}, ` +
      "or protocol: http/protobuf",
  ],
];

/** Of grpc-js, where the connection ends before HTTP/2 has begun. */
const CLOSED = /^(?:Failed to connect|Socket closed|Connection closed before starting HTTP\/2)/;

/**
 * What `error` means, an error of `node:net`, `node:tls`, `node:http` or `node:http2`.
 * @param isNew whether this server has never answered
 */
export function explainConnection(error: Error, attempt: Attempt, isNew = false): string {
  const { message } = error;
  if (error instanceof ExplainedError) return message;
  const code = "code" in error && String(error.code) in BY_CODE
    ? String(error.code)
    : /\bE[A-Z_]{4,}\b/.exec(message)?.[0] ?? "";
  const known = BY_CODE[code];
  if (known !== undefined) {
    const isProxied = attempt.isProxied || attempt.party === "proxy";
    if (UNCONNECTED.has(code)) return isProxied ? `no connection to the proxy: ${known}` : known;
    return isNew ? `${known} before an answer: ${guess(attempt)}` : known;
  }
  if (CLOSED.test(message)) return `connection closed before an answer: ${guess(attempt)}`;
  const answer = wordsOfAnswer(error, attempt);
  if (answer !== undefined) return answer;
  for (const [pattern, words] of BY_MESSAGE) {
    const match = pattern.exec(message);
    if (match !== null) return words(attempt, match);
  }
  return message;
}

/** Of an answer that could not be read as HTTP/1. */
function wordsOfAnswer(error: Error, { party }: Attempt): string | undefined {
  if (!error.message.startsWith("Parse Error")) return undefined;
  const bytes = "rawPacket" in error && error.rawPacket instanceof Uint8Array
    ? error.rawPacket
    : Buffer.alloc(0);
  if (bytes[0] === TLS_ALERT && bytes[1] === 3) {
    return `the ${party} speaks TLS there: write https:// instead of http://`;
  }
  const isSettings = bytes.length >= 9 && bytes[3] === HTTP2_SETTINGS &&
    bytes.subarray(5, 9).every((byte) => byte === 0);
  if (isSettings && party === "server") {
    return `the server speaks HTTP/2 there, as gRPC does: set protocol: grpc, or use ${HTTP_PORT}`;
  }
  return party === "proxy"
    ? "the proxy's answer is not HTTP"
    : `the answer is not HTTP: use ${HTTP_PORT}`;
}

const TLS_ALERT = 0x15; // RFC 8446, 5.1
const HTTP2_SETTINGS = 0x04; // RFC 9113, 6.5

function trustAdvice({ tls, party }: Attempt): string {
  if (party === "proxy") return "install the authority's certificate in the system's store";
  return tls?.ca === undefined
    ? "set tls.ca_file to the authority's certificate, or install that in the system's store"
    : "tls.ca_file must contain the authority's certificate, and the server send those in between; " +
      "without tls.ca_file, the system's store counts";
}

/** What may be wrong if a server closes a connection without a word. */
function guess({ endpoint, protocol, party, tls }: Attempt): string {
  if (party === "proxy") return "is it a proxy for HTTP?";
  const port = protocol === "grpc" ? GRPC_PORT : HTTP_PORT;
  if (endpoint.protocol === "http:") return `does it want https://, and is this ${port}?`;
  return tls?.cert === undefined
    ? `does it want a client certificate (tls.cert_file), and is this ${port}?`
    : `does it accept the client's certificate, and is this ${port}?`;
}

/** The texts of reasons: short, printable, and without anything secret. */
import type { TransportOptions } from "./transport.ts";
import { urlCredentials } from "./url_credentials.ts";

const MAX_CHARACTERS = 200;
const MIN_SECRET_LENGTH = 4; // shorter ones hide nothing, and would be found in any text

const CONNECTION_ERRORS: Readonly<Record<string, string>> = {
  EAI_AGAIN: "the host's name cannot be resolved now",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "no such host",
  EPIPE: "connection closed",
  ETIMEDOUT: "connection timed out",
};

/** Makes reasons about one endpoint. */
export class Reasons {
  readonly #endpoint: string;
  readonly #secrets: readonly string[];

  /** @param options its header values and the URL's credentials and query never appear in a reason */
  constructor({ endpoint, headers }: TransportOptions) {
    this.#endpoint = shownUrl(endpoint);
    this.#secrets = [
      ...Object.values(headers).flatMap((value) => [value, ...value.split(/[\s,;=]+/)]),
      ...endpoint.searchParams.values(),
      urlCredentials(endpoint).password,
    ].filter((secret) => secret.length >= MIN_SECRET_LENGTH)
      .sort((a, b) => b.length - a.length); // the whole value before its parts
  }

  /** What was attempted, and what came of it. */
  of(detail: string): Error {
    return new Error(`cannot send to ${this.#endpoint}: ${detail}`);
  }

  /** Why there was no answer, of an error of `node:net`, `node:tls` or `node:http`. */
  ofConnection(error: Error): Error {
    const code = "code" in error ? String(error.code) : "";
    return this.of(CONNECTION_ERRORS[code] ?? connectionReason(error.message));
  }

  /** `detail`, then what the server said, if it said anything. */
  ofServer(detail: string, said: string): Error {
    const text = this.told(said);
    return this.of(text === "" ? detail : `${detail}: ${text}`);
  }

  /** What a server said: its first 200 printable characters, on one line, less our own secrets. */
  told(said: string): string {
    let text = said.replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, " ").replaceAll("\ufffd", "");
    for (const secret of this.#secrets) text = text.replaceAll(secret, "***");
    return [...text.trim()].slice(0, MAX_CHARACTERS).join("").trim();
  }
}

/** The words for the first error code in a longer message, else the message itself. */
export function connectionReason(message: string): string {
  const code = /\bE[A-Z_]{4,}\b/.exec(message)?.[0] ?? "";
  return CONNECTION_ERRORS[code] ?? message;
}

/** A duration in milliseconds as the config file writes it. */
export function shownDuration(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** Scheme, host, port and path: credentials and query can be secret. */
function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}

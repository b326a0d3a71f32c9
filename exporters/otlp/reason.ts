/** The texts of reasons: short, printable, and without anything secret. */
import { withoutSecrets } from "../../src/messages/secrets.ts";
import type { TransportOptions } from "./transport.ts";

const MAX_CHARACTERS = 200;

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

  constructor({ endpoint }: Pick<TransportOptions, "endpoint">) {
    this.#endpoint = shownUrl(endpoint);
  }

  /** What was attempted, and what happened. */
  of(detail: string): Error {
    return new Error(`cannot send to ${this.#endpoint}: ${detail}`);
  }

  /** Why there was no answer, from an error of `node:net`, `node:tls` or `node:http`. */
  ofConnection(error: Error): Error {
    const code = "code" in error ? String(error.code) : "";
    return this.of(CONNECTION_ERRORS[code] ?? connectionReason(error.message));
  }

  /** `detail`, then what the server said, if it said anything. */
  ofServer(detail: string, said: string): Error {
    const text = this.told(said);
    return this.of(text === "" ? detail : `${detail}: ${text}`);
  }

  /** What a server said: its first 200 printable characters, on one line, without our secrets. */
  told(said: string): string {
    const printable = withoutSecrets(said)
      .replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, " ").replaceAll("\ufffd", "");
    const text = withoutSecrets(printable); // again: unprintable characters may have split a secret
    return [...text.trim()].slice(0, MAX_CHARACTERS).join("").trim();
  }
}

/** The words for the first error code in a longer message, else the message itself. */
export function connectionReason(message: string): string {
  const code = /\bE[A-Z_]{4,}\b/.exec(message)?.[0] ?? "";
  return CONNECTION_ERRORS[code] ?? message;
}

/** Scheme, host, port and path: credentials and query can be secret. */
function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}

/** The texts of reasons: short, printable, and without anything secret. */
import { withoutSecrets } from "../../src/messages/secrets.ts";
import { type Attempt, explainConnection } from "./connection/connection_error.ts";
import type { ConnectionOptions } from "./connection/options.ts";
import { asksProxy } from "./connection/proxy.ts";

const MAX_CHARACTERS = 200;
const MAX_EXPLANATION = 350; // our own words are most of it

/** Makes reasons about one endpoint. */
export class Reasons {
  readonly #attempt: Attempt;
  /** The endpoint, and the proxy if there is one, without what may be secret. */
  readonly destination: string;

  constructor(
    options: Pick<ConnectionOptions, "endpoint"> & Partial<ConnectionOptions>,
    protocol: Attempt["protocol"] = "http",
  ) {
    const { endpoint, proxy, tls } = options;
    this.#attempt = protocol === "http" && asksProxy(options)
      ? { protocol, party: "proxy", endpoint: options.proxy.url }
      : { protocol, party: "server", endpoint, tls, isProxied: proxy !== undefined };
    const url = shownUrl(endpoint);
    this.destination = proxy === undefined
      ? url
      : `${url} through the proxy ${shownUrl(proxy.url)}`;
  }

  /** What was attempted, and what happened. */
  of(detail: string): Error {
    return new Error(`cannot send to ${this.destination}: ${detail}`);
  }

  /**
   * Why there was no answer, from an error of `node:net`, `node:tls` or `node:http`.
   * @param isNew whether this server has never answered
   */
  ofConnection(error: Error, isNew = false): Error {
    const explanation = explainConnection(error, this.#attempt, isNew);
    return this.of(printable(explanation, MAX_EXPLANATION));
  }

  /** `detail`, then what the server said, if it said more, then what to change, if that is known. */
  ofServer(detail: string, said: string, advice = ""): Error {
    const text = this.told(said);
    const found = detail.endsWith(text) ? detail : `${detail}: ${text}`;
    return this.of(advice === "" ? found : `${found}; ${advice}`);
  }

  /** What a server said: its first 200 printable characters, on one line, without our secrets. */
  told(said: string): string {
    return printable(said, MAX_CHARACTERS);
  }
}

function printable(said: string, length: number): string {
  const bare = withoutSecrets(said)
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S}]+/gu, " ").replaceAll("\ufffd", "");
  const text = withoutSecrets(bare); // again: unprintable characters may have split a secret
  return [...text.trim()].slice(0, length).join("").trim();
}

/** Scheme, host, port and path: credentials and query can be secret. */
function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}

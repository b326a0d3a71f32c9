/** How a server is reached. */
import type { Proxy } from "./proxy.ts";
import type { TlsFiles } from "./tls.ts";

/** What a connection needs. */
export interface ConnectionOptions {
  /** The URL as it is used; credentials in it become an `authorization` header (HTTP). */
  readonly endpoint: URL;
  readonly tls: TlsFiles;
  /** Undefined if the endpoint is reached directly. */
  readonly proxy?: Proxy | undefined;
}

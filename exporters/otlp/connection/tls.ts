/** Reads the certificates and keys of the otlp exporter. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import type { SecureContextOptions } from "node:tls";
import { quote } from "../../../src/messages/quote.ts";
import { messageOf, UsageError } from "../../../src/messages/errors.ts";

/** Finds each certificate in PEM form; the group is its base64. */
export const CERTIFICATES = /-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g;

/** What `tls` says, once the environment and the defaults are filled in. */
export interface TlsPaths {
  readonly caFile: string | undefined;
  /** Given together with `keyFile`, or neither. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** The files that `tls` names, as PEM text; `cert` and `key` come together or not at all. */
export interface TlsFiles {
  /** What the server's certificate is checked against. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecureSkipVerify: boolean;
  /** What other certificates are checked against: the server's without `ca`, and the proxy's. */
  readonly authorities?: string;
}

/**
 * Reads the files now, so that a wrong one is reported before anything is attached: the TLS library
 * would silently ignore what it can't use.
 * @param baseDirectory folder that relative paths are relative to
 * @throws {UsageError} naming the key and the path of a file that cannot be used
 */
export async function readTls(
  { caFile, certFile, keyFile, insecureSkipVerify }: TlsPaths,
  baseDirectory: string,
): Promise<TlsFiles> {
  const read = (key: string, path: string | undefined) =>
    path === undefined ? undefined : readPem(`tls.${key}`, resolve(baseDirectory, path));
  const [ca, cert, key] = await Promise.all([
    read("ca_file", caFile),
    read("cert_file", certFile),
    read("key_file", keyFile),
  ]);
  if (ca !== undefined) parse(ca, readAll, "a certificate");
  if (cert !== undefined && key !== undefined) {
    const certificate = parse(cert, (pem) => new X509Certificate(pem), "a certificate");
    const privateKey = parse(key, createPrivateKey, "a private key without a passphrase");
    if (!certificate.checkPrivateKey(privateKey)) {
      throw new UsageError(
        `cannot use tls.key_file: ${quote(key.path)} is not the key of ${quote(cert.path)}`,
      );
    }
  }
  return {
    ...(ca === undefined ? {} : { ca: ca.text }),
    ...(cert === undefined || key === undefined ? {} : { cert: cert.text, key: key.text }),
    insecureSkipVerify,
  };
}

/** For TLS to the server, as options of `node:tls`. */
export function serverTls(
  { ca, authorities, cert, key, insecureSkipVerify }: TlsFiles,
): SecureContextOptions & { readonly rejectUnauthorized: boolean } {
  const trusted = ca ?? authorities;
  return {
    rejectUnauthorized: !insecureSkipVerify,
    ...(trusted === undefined ? {} : { ca: trusted }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** For TLS to a proxy: what `tls` says is about the server. */
export function proxyTls({ authorities }: TlsFiles): SecureContextOptions {
  return authorities === undefined ? {} : { ca: authorities };
}

/** For a client's certificate without its key, or the reverse. @param found the config's key of it */
export function oneAlone(found: "cert_file" | "key_file"): UsageError {
  const missing = found === "cert_file" ? "key_file" : "cert_file";
  return new UsageError(
    `cannot use tls.${found}: found no tls.${missing}: expected both or neither`,
  );
}

/** A file that a key of the config names. */
interface PemFile {
  readonly key: string;
  readonly path: string;
  readonly text: string;
}

async function readPem(key: string, path: string): Promise<PemFile> {
  try {
    return { key, path, text: await Deno.readTextFile(path) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UsageError(`cannot read ${key}: ${quote(path)}: no such file`);
    }
    throw new UsageError(`cannot read ${key}: ${quote(path)}: ${messageOf(error)}`);
  }
}

/** Deno throws at a later one that cannot be read where nothing can catch that. */
function readAll(pem: string): void {
  new X509Certificate(pem);
  for (const [one] of pem.matchAll(CERTIFICATES)) new X509Certificate(one);
}

function parse<Parsed>(file: PemFile, parser: (pem: string) => Parsed, expected: string): Parsed {
  try {
    if (!file.text.includes("-----BEGIN ")) throw new TypeError("not in PEM form");
    return parser(file.text);
  } catch {
    throw new UsageError(
      `cannot use ${file.key}: ${quote(file.path)}: expected ${expected} in PEM form`,
    );
  }
}

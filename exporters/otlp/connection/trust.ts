/** The authorities that a server's certificate is checked against if the config names none. */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import * as tls from "node:tls";
import { CERTIFICATES } from "./tls.ts";

/** Where distributions keep the store in one file: Debian, Fedora, openSUSE, Alpine. */
const BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
/** Where OpenSSL looks for one certificate a file, named by `openssl rehash`. */
const FOLDER = "/etc/ssl/certs";
const REHASHED = /^[0-9a-f]{8}\.\d+$/;

/**
 * The host's store, as curl reads it, with SSL_CERT_FILE and SSL_CERT_DIR; and the authorities that
 * Deno trusts by itself: Mozilla's, and those of NODE_EXTRA_CA_CERTS. In PEM form, each once. Deno
 * can read the store too, but would not see that it was renewed. What is no certificate is left out.
 */
export async function trustedAuthorities(
  env: (name: string) => string | undefined,
): Promise<string> {
  const file = env("SSL_CERT_FILE");
  const folders = env("SSL_CERT_DIR")?.split(":");
  const texts = await Promise.all([
    file === undefined ? firstOf(BUNDLES) : read(file),
    ...(folders ?? [FOLDER]).map(readFolder),
  ]);
  const certificates = new Map<string, string>(); // by what lies within, without line breaks
  for (const text of [...ofDeno(), ...texts]) {
    for (const [pem, base64 = ""] of text.matchAll(CERTIFICATES)) {
      const content = base64.replaceAll(/\s/g, "");
      if (!certificates.has(content) && isReadable(pem)) certificates.set(content, pem);
    }
  }
  return [...certificates.values()].join("\n");
}

/** With one that is not, Deno throws where nothing can catch it. */
function isReadable(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/** Empty if a program with the library may not read them. */
function ofDeno(): readonly string[] {
  try {
    return tls.getCACertificates("default");
  } catch {
    return [];
  }
}

async function firstOf(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const text = await read(path);
    if (text !== "") return text;
  }
  return "";
}

async function readFolder(folder: string): Promise<string> {
  try {
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    const files = names.filter((name) => REHASHED.test(name)).sort();
    return (await Promise.all(files.map((name) => read(join(folder, name))))).join("\n");
  } catch {
    return "";
  }
}

/** Empty if there is no such file, or none that may be read. */
async function read(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}

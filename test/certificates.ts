/** Certificates made by openssl for one test run. */
import { join } from "node:path";

/** A folder with an authority and certificates that it signed. Disposing removes it. */
export class Certificates implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes an authority: ca.crt, ca.key. */
  static async make(): Promise<Certificates> {
    const made = new Certificates(await Deno.makeTempDir({ prefix: "tcpspan-certificates-" }));
    await made.#openssl("req", "-x509", ...KEY, "-keyout", "ca.key", "-out", "ca.crt", ...SUBJECT);
    return made;
  }

  /**
   * Signs a certificate: NAME.crt, NAME.key.
   * @param names as in subjectAltName: `DNS:localhost,IP:127.0.0.1`
   */
  async sign(name: string, names: string): Promise<void> {
    await this.#openssl(
      ...["req", "-x509", ...KEY, "-keyout", `${name}.key`, "-out", `${name}.crt`, ...SUBJECT],
      ...["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", `subjectAltName=${names}`],
      ...["-addext", "basicConstraints=critical,CA:false"],
    );
  }

  /** Signs a certificate for localhost that expired yesterday: NAME.crt, NAME.key. */
  async signExpired(name: string): Promise<void> {
    await this.#openssl(
      "req",
      "-new",
      ...KEY,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      ...NAME,
    );
    await Deno.writeTextFile(this.path(`${name}.ext`), `subjectAltName=DNS:localhost\n`);
    await this.#openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key"],
      ...["-CAcreateserial", "-days", "-1", "-extfile", `${name}.ext`, "-out", `${name}.crt`],
    );
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  read(file: string): string {
    return Deno.readTextFileSync(this.path(file));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }

  async #openssl(...args: readonly string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: [...args],
      cwd: this.folder,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`cannot make a certificate: ${new TextDecoder().decode(stderr)}`);
    }
  }
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"] as const;
const NAME = ["-subj", "/CN=tcpspan test"] as const;
const SUBJECT = ["-days", "1", ...NAME] as const;

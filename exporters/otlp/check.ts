/** What is wrong with the settings of the otlp exporter, as far as that shows without a request. */
import type { CheckContext } from "../../src/exporter.ts";
import { proxyOf } from "./connection/proxy.ts";
import { readTls } from "./connection/tls.ts";
import { resolveOtlp } from "./environment.ts";
import type { OtlpSettings } from "./settings.ts";

/**
 * For `config check`. Files that the environment names are not read, and values in it that a run
 * ignores are not reported.
 * @throws {UsageError} if certificates, keys or a proxy cannot be used
 */
export async function checkOtlp(
  settings: OtlpSettings,
  { env, baseDirectory, warn }: CheckContext,
): Promise<void> {
  const { tls, endpoint, traces_endpoint } = settings;
  const { ca_file, cert_file, key_file, insecure_skip_verify } = tls;
  const resolved = resolveOtlp(settings, env, () => {});
  await readTls(
    {
      caFile: ca_file,
      certFile: cert_file,
      keyFile: key_file,
      insecureSkipVerify: insecure_skip_verify,
    },
    baseDirectory,
  );
  proxyOf(new URL(resolved.url), resolved.protocol === "grpc" ? "grpc" : "http", env);
  const url = traces_endpoint ?? endpoint;
  const usesTls = insecure_skip_verify || [ca_file, cert_file].some((file) => file !== undefined);
  if (usesTls && url?.startsWith("http:")) {
    warn("tls has no effect: the endpoint begins with http: write https to encrypt");
  }
}

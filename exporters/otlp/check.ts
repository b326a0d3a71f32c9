/** What is wrong with the settings of the otlp exporter, as far as that shows without a request. */
import type { CheckContext } from "../../src/exporter.ts";
import { proxyOf } from "./connection/proxy.ts";
import { oneAlone, readTls } from "./connection/tls.ts";
import { isHttpUrl } from "./endpoint.ts";
import type { OtlpSettings } from "./settings.ts";

/**
 * For `config check`, which loads no package. Files and endpoints that the environment names are
 * not looked at.
 * @throws {UsageError} if certificates, keys or a proxy cannot be used
 */
export async function checkOtlp(
  { tls, endpoint, traces_endpoint, protocol }: OtlpSettings,
  { env, baseDirectory, warn }: CheckContext,
): Promise<void> {
  const { ca_file, cert_file, key_file, insecure_skip_verify } = tls;
  const given = (name: string) =>
    env(`OTEL_EXPORTER_OTLP_TRACES_${name}`) ?? env(`OTEL_EXPORTER_OTLP_${name}`);
  if (cert_file !== undefined && key_file === undefined && given("CLIENT_KEY") === undefined) {
    throw oneAlone("cert_file");
  }
  if (
    key_file !== undefined && cert_file === undefined && given("CLIENT_CERTIFICATE") === undefined
  ) {
    throw oneAlone("key_file");
  }
  await readTls(
    {
      caFile: ca_file,
      certFile: cert_file,
      keyFile: key_file,
      insecureSkipVerify: insecure_skip_verify,
    },
    baseDirectory,
  );
  const url = traces_endpoint ?? endpoint;
  if (url === undefined) return;
  const isGrpc = (protocol ?? given("PROTOCOL")) === "grpc";
  proxyOf(new URL(isHttpUrl(url) ? url : `https://${url}`), isGrpc ? "grpc" : "http", env);
  const usesTls = insecure_skip_verify || [ca_file, cert_file].some((file) => file !== undefined);
  if (usesTls && url.startsWith("http:")) {
    warn("tls has no effect: the endpoint begins with http: write https to encrypt");
  }
}

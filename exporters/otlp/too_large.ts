/** How servers say that a request is too large, beside HTTP's status 413. */

/**
 * - "grpc: received message larger than max (2 vs. 1)", "… after decompression larger than max …":
 *   grpc-go; without "grpc: " C++, Python and grpc-js
 * - "Received message that decompresses to a size larger than 1": grpc-js
 * - "gRPC message exceeds maximum size 1: 2", "Received message exceeds the maximum configured
 *   message size.": Java, .NET
 * - "Error, decoded message length too large: found 2 bytes, the limit is: 1 bytes": tonic
 * - "http: request body too large": Go's http.MaxBytesReader, which the Collector answers with 400
 * - "Payload Too Large", "Request Entity Too Large": Envoy and other proxies, to gRPC
 * - "Received HTTP status code 413": grpc-js of the answer of a proxy, such as nginx
 */
const TEXTS =
  /message (after decompression )?larger than max|decompresses to a size larger than|message exceeds (the )?maximum|message length too large|(body|entity|payload) (is )?too large|status code 413/i;

/** Whether `text`, of an error, says that the request was too large. */
export function saysTooLarge(text: string): boolean {
  return TEXTS.test(text);
}

/** An OTLP receiver on a port that the test chooses, which may start late. */
import { decodeTraceRequest } from "../otlp_protobuf.ts";
import { type OtlpSpan, parseOtlpJsonLines } from "../backends/otlp_json.ts";

/** A receiver that listens. It takes OTLP as JSON or protobuf, not compressed. */
export interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly spans: readonly OtlpSpan[];
  /** Requests that arrived, answered or not. */
  readonly requests: number;
  /** The headers of each request, in order. */
  readonly headers: readonly Headers[];
}

/**
 * Listens on `port` of 127.0.0.1.
 * @param before called for each request, with its peer's port; the answer waits for its promise
 */
export function startReceiver(
  port: number,
  before: (peer: number) => unknown = () => {},
): Receiver {
  const spans: OtlpSpan[] = [];
  const headers: Headers[] = [];
  let requests = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    async (request, { remoteAddr }) => {
      requests++;
      await before(remoteAddr.port);
      const isProtobuf = request.headers.get("content-type") === "application/x-protobuf";
      const body = isProtobuf
        ? JSON.stringify(decodeTraceRequest(await request.bytes()))
        : await request.text();
      if (new URL(request.url).pathname !== "/v1/traces") {
        return new Response(null, { status: 404 });
      }
      headers.push(request.headers);
      spans.push(...parseOtlpJsonLines(`${body}\n`)); // a request has the members of a TracesData
      return isProtobuf
        ? new Response(null, { headers: { "content-type": "application/x-protobuf" } })
        : Response.json({});
    },
  );
  return {
    port,
    spans,
    get requests() {
      return requests;
    },
    headers,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

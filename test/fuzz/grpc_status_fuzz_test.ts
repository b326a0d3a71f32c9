import assert from "node:assert/strict";
import { readRpcStatus } from "../../exporters/otlp/rpc_status.ts";
import { fuzz } from "./fuzz.ts";

/** A google.rpc.Status, as in grpc-status-details-bin and in answers over HTTP. */
fuzz("grpc_status", (bytes) => {
  const status = readRpcStatus(bytes);
  if (status === undefined) return;
  assert.equal(typeof status.message, "string");
  const wait = status.retryAfterMs;
  assert.ok(wait === undefined || Number.isFinite(wait) && wait >= 0, String(wait));
}, { tokens: ["type.googleapis.com/google.rpc.RetryInfo"] });

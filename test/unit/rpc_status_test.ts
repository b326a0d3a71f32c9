import { deepStrictEqual } from "node:assert/strict";
import { readRpcStatus, type RpcStatus } from "../../exporters/otlp/rpc_status.ts";
import { rpcStatus } from "../otlp_protobuf.ts";

Deno.test("readRpcStatus() reads the message and the delay of a RetryInfo", () => {
  const rows: readonly [bytes: Uint8Array, status: RpcStatus | undefined][] = [
    [new Uint8Array(), { message: "" }],
    [rpcStatus("zwölf"), { message: "zwölf" }],
    [rpcStatus("later", [7, 500_000_000]), { message: "later", retryAfterMs: 7500 }],
    [rpcStatus("later", [0, 1]), { message: "later", retryAfterMs: 1 }],
    [rpcStatus("later", [0, 0]), { message: "later", retryAfterMs: 0 }],
    [rpcStatus("later", [90_000, 0]), { message: "later", retryAfterMs: 90_000_000 }],
    [rpcStatus("never", [9_000_000, 0]), { message: "never", retryAfterMs: 2 ** 31 - 1 }],
  ];
  for (const [bytes, status] of rows) deepStrictEqual(readRpcStatus(bytes), status);
});

Deno.test("readRpcStatus() skips fields that it does not know", () => {
  const unknown = [0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x35, 1, 2, 3, 4, 0x38, 0xff, 1, 0x42, 2, 1, 1];
  deepStrictEqual(readRpcStatus(new Uint8Array([...unknown, 0x12, 1, 0x61])), { message: "a" });
});

Deno.test("readRpcStatus() finds no status in other bytes", () => {
  const rows: readonly number[][] = [
    [0x12, 5, 0x61], // text cut short
    [0x12], // no length
    [0x08, 0xff], // a varint without end
    [0x0b], // a group
    [...new TextEncoder().encode("<html>Bad Gateway</html>")],
  ];
  for (const row of rows) deepStrictEqual(readRpcStatus(new Uint8Array(row)), undefined, `${row}`);
});

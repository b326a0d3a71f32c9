/** Whether a run could pin where the config says. */
import { SystemError } from "../../ffi/libc.ts";
import { omissionOf } from "../capture/omission.ts";
import { Pin } from "../capture/pin/pin.ts";
import type { HostCheck } from "../host/check.ts";
import { failureOf } from "./failure.ts";

/** Pins something in `path` and removes it again; what is pinned already stays as it is. */
export function tryPin(path: string): HostCheck {
  const name = "BPF file system";
  try {
    Pin.probe(path);
    return { name, result: "ok", found: `can pin to ${path}` };
  } catch (error) {
    if (!(error instanceof SystemError)) return failureOf(name, error);
    const { reason, loss } = omissionOf("pin", error.message);
    return { name, result: "without", found: reason, advice: loss };
  }
}

import * as z from "../../vendor/zod.js";
import { LARGEST_PORT } from "./limits.ts";

/** Where a server listens that only this host can reach. */
export interface LoopbackPort {
  /** An address of 127.0.0.0/8, or ::1. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

const EXPECTED = "a loopback address and a port, such as 127.0.0.1:9464 or [::1]:9464";

/** A config value for it: `127.0.0.1:9464`, `[::1]:9464`. */
export function loopbackPort(): z.ZodType<LoopbackPort, string> {
  return z.string(EXPECTED).transform((text, context) => {
    const [, v4, v6, digits] = /^(?:(127(?:\.\d{1,3}){3})|\[(::1)\]):(\d{1,5})$/.exec(text) ?? [];
    const host = v4 ?? v6;
    const port = Number(digits);
    const isAddress = v4 === undefined || v4.split(".").every((octet) => Number(octet) <= 255);
    if (host !== undefined && isAddress && port <= LARGEST_PORT) return { host, port };
    context.addIssue({ code: "custom", message: EXPECTED });
    return z.NEVER;
  });
}

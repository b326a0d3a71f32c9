/** What an answer over HTTP means, according to the OTLP specification. */
import { STATUS_CODES } from "node:http";
import { MAX_DURATION } from "../../src/config/limits.ts";
import { adviceForStatus } from "./advice.ts";
import type { Reasons } from "./reason.ts";
import { members } from "./members.ts";
import { otherType } from "./other_type.ts";
import { readRpcStatus } from "./rpc_status.ts";
import { saysTooLarge } from "./too_large.ts";
import type { OtlpResponse } from "./transport.ts";

/** An HTTP response as far as it was read. */
export interface HttpAnswer {
  readonly status: number;
  /** The reason phrase; HTTP allows an empty one. */
  readonly statusText: string;
  /** Names in lower case. */
  readonly header: (name: string) => string | undefined;
  /** What was read of it. */
  readonly body: Uint8Array;
}

const RETRYABLE: readonly number[] = [429, 502, 503, 504];

const decoder = new TextDecoder();

/**
 * The outcome of one request.
 * @param contentType of the request: an answer of another type is not an OTLP receiver's
 */
export function classify(
  answer: HttpAnswer,
  contentType: string,
  endpoint: URL,
  reasons: Reasons,
): OtlpResponse {
  const { status } = answer;
  const line = `HTTP ${status} ${reasons.told(answer.statusText) || STATUS_CODES[status] || ""}`
    .trim();
  if (status >= 200 && status < 300) {
    const type = mediaType(answer, "");
    // some receivers answer with nothing: Sentry's with 200 and no type, Mimir's and Loki's with 204
    const isTaken = type === contentType || type === "" && answer.body.length === 0;
    return isTaken
      ? { status: "success", data: answer.body }
      : otherType(line, reasons.told(type), contentType, reasons, canBeOtlp(type, answer.body));
  }
  if (status >= 300 && status < 400) {
    return { status: "failure", error: reasons.of(`${line}: ${redirect(answer, endpoint)}`) };
  }
  const text = said(answer);
  const error = reasons.ofServer(line, text, adviceForStatus(status, endpoint, contentType));
  if (!RETRYABLE.includes(status)) {
    // the Collector has 400 for its own limit
    const isTooLarge = status === 413 || status === 400 && saysTooLarge(text);
    return { status: "failure", error, ...(isTooLarge ? { isTooLarge } : {}) };
  }
  const retryInMillis = parseRetryAfter(answer.header("retry-after"), timeOf(answer));
  return { status: "retryable", error, ...(retryInMillis === undefined ? {} : { retryInMillis }) };
}

/** Whether a success of `type` can be an ExportTraceServiceResponse, or that of metrics. */
function canBeOtlp(type: string, body: Uint8Array): boolean {
  if (type !== "application/json") return true;
  try {
    const answer: unknown = JSON.parse(decoder.decode(body));
    return typeof answer === "object" && answer !== null && !Array.isArray(answer) &&
      Object.keys(answer).every((key) => key === "partialSuccess");
  } catch {
    return false;
  }
}

/** The server's time, if it says so: our clock may be wrong by years, until somebody sets it. */
function timeOf(answer: HttpAnswer): number {
  const date = Date.parse(answer.header("date") ?? "");
  return Number.isNaN(date) ? Date.now() : date;
}

/**
 * Milliseconds to wait, from a Retry-After in seconds or as an HTTP date (RFC 9110, 10.2.3).
 * @param now milliseconds since the epoch
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), MAX_DURATION);
}

/** What the server says: OTLP servers answer with a google.rpc.Status, proxies with text. */
function said(answer: HttpAnswer): string {
  const text = decoder.decode(answer.body);
  switch (mediaType(answer, "")) {
    case "application/x-protobuf":
      return readRpcStatus(answer.body)?.message || text;
    case "application/json":
      return messageOfJson(text) ?? text;
    case "text/html":
      return /<title>([^<]*)/i.exec(text)?.[1] ?? text.replaceAll(/<[^>]*>/g, " ");
    default:
      return text;
  }
}

function messageOfJson(text: string): string | undefined {
  try {
    const { message } = members(JSON.parse(text));
    return typeof message === "string" && message !== "" ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Shows only the host: the rest of a location may hold tokens. */
function redirect(answer: HttpAnswer, endpoint: URL): string {
  const location = answer.header("location");
  if (location === undefined || !URL.canParse(location, endpoint)) return "a redirect to nowhere";
  return `a redirect to ${new URL(location, endpoint).host}, which is not followed`;
}

function mediaType(answer: HttpAnswer, otherwise: string): string {
  return answer.header("content-type")?.split(";")[0]?.trim().toLowerCase() ?? otherwise;
}

/** What an OTLP server says about a request that it has taken: the same for each signal. */
import { members } from "./members.ts";

/** What was refused for good, and why; a message without a refusal is a warning. */
export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** How each signal's response names what was refused. */
type RejectedMember = "rejectedSpans" | "rejectedDataPoints";

/**
 * The partial success in an answer. The request has been taken, whatever the answer's body holds: a
 * body that cannot be read counts as empty.
 */
export function readPartialSuccess(
  serializer: { readonly deserializeResponse: (answer: Uint8Array) => unknown },
  answer: Uint8Array,
  member: RejectedMember,
): PartialSuccess {
  let response: unknown;
  try {
    response = serializer.deserializeResponse(answer);
  } catch {
    return { rejected: 0, message: "" };
  }
  const { [member]: number, errorMessage } = members(members(response)["partialSuccess"]);
  const rejected = Number(number ?? 0); // in JSON a 64-bit integer may be a string
  return {
    rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
    message: typeof errorMessage === "string" ? errorMessage : "",
  };
}

/** Answers of success that are not an OTLP receiver's, such as a web page. */
import type { Reasons } from "./reason.ts";
import type { OtlpResponse } from "./transport.ts";

/** The types of OTLP over HTTP, and the protocol that has each. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  "application/x-protobuf": "http/protobuf",
  "application/json": "http/json",
};

/**
 * Nothing was delivered. It is worth another try: the port may be put right, and until then sessions
 * wait. But a receiver that answers in OTLP's other format has most likely taken the request, and
 * would take it again with each try.
 * @param line what else was answered, as text for the user; may be empty
 * @param found the answer's type, empty if it has none
 * @param expected the request's type
 * @param isOtlp whether the body can be OTLP's in the other format
 */
export function otherType(
  line: string,
  found: string,
  expected: string,
  reasons: Reasons,
  isOtlp = false,
): OtlpResponse {
  const what = `${found === "" ? "an answer without a type" : found}, not ${expected}`;
  const protocol = isOtlp && expected in PROTOCOLS ? PROTOCOLS[found] : undefined;
  const advice = `is the port right${protocol === undefined ? "" : `, or protocol ${protocol}`}?`;
  const error = reasons.of(`${line === "" ? "" : `${line}: `}${what}; ${advice}`);
  return protocol === undefined ? { status: "retryable", error } : { status: "failure", error };
}

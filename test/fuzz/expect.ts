/** What holds of every text for a person, and of every error for a user. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/messages/errors.ts";

/** Nothing that a terminal acts on, that hides, or that changes the order of what is shown. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** `text` can be shown on one line. */
export function assertSafeLine(text: string): void {
  assert.ok(!UNSAFE.test(text), JSON.stringify(text));
}

/** What `act` gives; undefined where it throws a UsageError, whose lines can be shown. */
export function unlessWrong<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    assert.notEqual(error.message, "");
    for (const line of error.message.split("\n")) assertSafeLine(line);
    return undefined;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of bytes that are UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of any bytes. */
export function toText(bytes: Uint8Array): string {
  return lossy.decode(bytes);
}

/** What is true of every text for people, and of every error for users. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/messages/errors.ts";

/** What a terminal acts on, what is invisible, and what changes the order of the text. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Fails unless `text` can be shown on one line. */
export function assertSafeLine(text: string): void {
  assert.ok(!UNSAFE.test(text), JSON.stringify(text));
}

/** @returns what `act` returns; undefined if it throws a UsageError, whose lines must be safe */
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

/** The text of bytes that must be UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

const lossy = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of any bytes. */
export function toText(bytes: Uint8Array): string {
  return lossy.decode(bytes);
}

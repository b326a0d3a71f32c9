/** Headers that go with each export, as HTTP and gRPC allow them. */

/** `name` is a token of RFC 9110. */
export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** No line breaks or other control characters, and bytes only. */
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

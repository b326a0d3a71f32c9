/**
 * Reads OTEL_RESOURCE_ATTRIBUTES: `key=value` pairs with commas between them. Commas, equals signs
 * and percent signs in keys and values are percent-encoded.
 * @returns the attributes, or undefined if one is wrong: the specification then discards them all
 */
export function parseResourceAttributes(
  text: string,
): Readonly<Record<string, string>> | undefined {
  const entries: [string, string][] = [];
  for (const pair of text.split(",")) {
    if (pair.trim() === "") continue;
    const [key = "", value, ...rest] = pair.split("=").map((part) => part.trim());
    if (key === "" || value === undefined || rest.length > 0) return undefined;
    try {
      entries.push([decodeURIComponent(key), decodeURIComponent(value)]);
    } catch {
      return undefined;
    }
  }
  return Object.fromEntries(entries);
}

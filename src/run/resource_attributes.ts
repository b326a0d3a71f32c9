/**
 * Reads OTEL_RESOURCE_ATTRIBUTES: `key=value` pairs behind commas, both percent-encoded where they
 * hold a comma, an equals sign or a percent sign.
 * @returns the attributes, or undefined if any of it is wrong: the specification discards all then
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

/** What this process has open. */

/** Number of open descriptors. */
export function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Number of memory mappings whose name contains `name`. */
export function mappings(name: string): number {
  return Deno.readTextFileSync("/proc/self/maps").split("\n")
    .filter((line) => line.includes(name)).length;
}

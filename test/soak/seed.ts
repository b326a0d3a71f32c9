/** Seeds of a soak. */

/** The seed in TCPSPAN_SOAK_SEED, else a random one. */
export function randomSeed(): bigint {
  const given = Deno.env.get("TCPSPAN_SOAK_SEED");
  if (given !== undefined) return BigInt(given);
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0);
}

/** The addresses of a host whose network namespaces come and go, like containers. */
import { strict as assert } from "node:assert";
import { HostAddresses } from "../../src/span/host_addresses.ts";
import type { StoppedClock } from "../clock.ts";
import { stopClock } from "../clock.ts";
import { makeSession } from "../fixtures.ts";
import { Actor } from "./actor.ts";
import { Namespace } from "./host.ts";

/** A container that comes after the host's addresses were looked up. */
interface Scene {
  /** Whether a session in a network namespace has its peer in the container. */
  has(netns: number): boolean;
  readonly clock: StoppedClock;
  /** The network namespaces. */
  readonly own: number;
  readonly container: number;
}

/** @param perLook milliseconds that each reading of the clock takes; a lookup needs two */
async function play(perLook: number, test: (scene: Scene) => void): Promise<void> {
  await using namespace = await Namespace.make();
  using clock = stopClock(perLook);
  const addresses = new HostAddresses();
  const { ipv4 } = namespace.there;
  const has = (netns: number) =>
    addresses.hasPeer(makeSession({ local_address: "192.0.2.9", peer_address: ipv4, netns }));
  const own = Number(/\d+/.exec(await Deno.readLink("/proc/self/ns/net"))?.[0]);
  assert.ok(!has(own), "a namespace without a process is not seen");
  await using _container = await Actor.start({ under: namespace.under });
  test({ has, clock, own, container: namespace.inode });
}

Deno.test("the first session of a new namespace causes a new lookup of the host's addresses", () =>
  play(0, ({ has, clock, own, container }) => {
    clock.advance(1);
    assert.ok(!has(own), "nothing says that there is a new one");
    assert.ok(has(container));
    assert.ok(has(own), "it is remembered");
  }));

Deno.test("endless new namespaces cause lookups for at most a 20th of the time", () =>
  play(10, ({ has, clock, container }) => {
    assert.ok(!has(container));
    clock.advance(200);
    assert.ok(has(container));
  }));

Deno.test("addresses are looked up again after 30 s", () =>
  play(0, ({ has, clock, own }) => {
    clock.advance(30_000);
    assert.ok(!has(own));
    clock.advance(1);
    assert.ok(has(own));
  }));

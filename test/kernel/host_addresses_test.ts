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

Deno.test("an address is on this host if a route makes its network local, and a transparent proxy's are not", async () => {
  await using namespace = await Namespace.alone();
  await namespace.configure(
    "link set lo up",
    "route add local 198.51.100.0/24 dev lo",
    "route add local 2001:db8:79::/64 dev lo",
    "route add local 0.0.0.0/0 dev lo table 100",
    "route add local ::/0 dev lo table 100",
    "rule add fwmark 1 lookup 100", // it takes the tables apart
  );
  await using _process = await Actor.start({ under: namespace.under });
  const addresses = new HostAddresses();
  const has = (peer_address: string) =>
    addresses.hasPeer(
      makeSession({
        local_address: peer_address.includes(":") ? "2001:db8::9" : "192.0.2.9",
        peer_address,
        netns: namespace.inode,
      }),
    );
  assert.deepEqual(
    ["198.51.100.56", "198.51.101.1", "203.0.113.1", "2001:db8:79::56", "2001:db8:80::1"].map(has),
    [true, false, false, true, false],
  );
});

Deno.test("a namespace without a process is not looked for again and again", async () => {
  await using namespace = await Namespace.make();
  using clock = stopClock();
  const addresses = new HostAddresses();
  const { ipv4 } = namespace.there;
  const netns = namespace.inode;
  const has = () =>
    addresses.hasPeer(makeSession({ local_address: "192.0.2.9", peer_address: ipv4, netns }));
  assert.ok(!has());
  await using _process = await Actor.start({ under: namespace.under });
  clock.advance(30_000);
  assert.ok(!has(), "only one scan in 30 s");
  clock.advance(1);
  assert.ok(has());
});

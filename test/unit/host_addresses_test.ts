import { strict as assert } from "node:assert";
import { networkInterfaces } from "node:os";
import { formatIpv4, formatIpv6 } from "../../src/net/address.ts";
import { parseFibNetworks, parseIpv6Networks } from "../../src/host/local_networks.ts";
import { HostAddresses, parseFibTrie, parseIfInet6 } from "../../src/span/host_addresses.ts";
import { SessionBatch } from "../../src/session/batch.ts";
import { RECORD } from "../../src/session/record_layout.ts";
import type { Session } from "../../src/session/session.ts";
import { makeBatch, makeSession } from "../fixtures.ts";

const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 172.16.0.0/24 2 0 2
        |-- 172.16.0.0
           /24 link UNICAST
        |-- 172.16.0.2
           /32 host LOCAL
        |-- 172.16.0.255
           /32 link BROADCAST
`;

Deno.test("parseFibTrie() finds local addresses, but no networks or broadcast addresses", () => {
  assert.deepEqual(parseFibTrie(FIB_TRIE), ["127.0.0.1", "172.16.0.2"]);
  assert.deepEqual(parseFibTrie(""), []);
});

/** A namespace with rules, which has its tables apart; without them both are under `Main`. */
const ANY_IP = `Id 100:
  |-- 0.0.0.0
     /0 host LOCAL
  |-- 198.18.0.0
     /15 host LOCAL
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 192.0.2.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/1 2 0 2
     +-- 10.64.0.0/11 2 0 2
        |-- 10.79.0.0
           /24 host LOCAL
        |-- 10.80.0.0
           /32 host LOCAL
           /16 host LOCAL
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
`;

Deno.test("parseFibNetworks() finds AnyIP networks, but not what a transparent proxy takes", () => {
  const texts = (text: string) =>
    parseFibNetworks(text).map(({ bytes, prefix }) => `${formatIpv4(bytes)}/${prefix}`);
  assert.deepEqual(texts(ANY_IP), ["10.79.0.0/24", "10.80.0.0/16"]);
  assert.deepEqual(texts(FIB_TRIE), []);
  assert.deepEqual(texts(""), []);
  assert.deepEqual(parseFibTrie(ANY_IP), ["10.80.0.0"]);
});

Deno.test("parseIpv6Networks() finds AnyIP networks, but no addresses and no routes elsewhere", () => {
  const none = "00000000000000000000000000000000";
  const text = [
    ["00000000000000000000000000000000", "00", "80000001", "lo"], // a transparent proxy's
    ["00000000000000000000000000000001", "80", "80000001", "lo"],
    ["20010db8000000000000000000000000", "20", "00000001", "eth0"],
    ["fd000079000000000000000000000000", "40", "80000001", "lo"],
    ["ff000000000000000000000000000000", "08", "00000101", "eth0"],
  ].map(([to, length, flags, device]) =>
    `${to} ${length} ${none} 00 ${none} 00000400 00000001 00000000 ${flags}     ${device}\n`
  ).join("");
  assert.deepEqual(
    parseIpv6Networks(text).map(({ bytes, prefix }) => `${formatIpv6(bytes)}/${prefix}`),
    ["fd00:79::/64"],
  );
  assert.deepEqual(parseIpv6Networks(""), []);
});

Deno.test("parseIfInet6() finds the addresses, as RFC 5952 writes them", () => {
  const text = `00000000000000000000000000000001 01 80 10 80       lo
fe800000000000004cd22ffffe6ac8c4 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
`;
  assert.deepEqual(parseIfInet6(text).map((bytes) => formatIpv6(bytes)), [
    "::1",
    "fe80::4cd2:2fff:fe6a:c8c4",
    "2001:db8::7",
  ]);
  assert.deepEqual(parseIfInet6(""), []);
});

const LOOPBACK: [address: string, here: boolean][] = [
  ["127.0.0.1", true],
  ["127.200.1.2", true], // all of 127/8 is loopback
  ["::1", true],
  ["192.0.2.1", false], // RFC 5737, RFC 3849: nobody's
  ["128.0.0.1", false],
  ["::2", false],
  ["1::1", false],
  ["7f00::", false], // its first byte is 127
  ["2001:db8::1", false],
];

for (const [address, here] of LOOPBACK) {
  Deno.test(`${address} is ${here ? "" : "not "}on this host`, () => {
    assert.equal(new HostAddresses().hasPeer(sessionWith(address)), here);
  });
}

Deno.test("each address of each interface is on this host", () => {
  const addresses = new HostAddresses();
  const interfaces = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  assert.ok(interfaces.length > 0);
  for (const { address } of interfaces) {
    assert.ok(addresses.hasPeer(sessionWith(address)), address);
  }
});

Deno.test("the address of this end of a session is on this host", () => {
  for (const address of ["198.51.100.201", "198.51.100.202", "2001:db8::201"]) {
    const addresses = new HostAddresses();
    addresses.observe(
      makeBatch({ local_address: "198.51.100.201" }, { local_address: "2001:db8::201" }),
    );
    assert.equal(addresses.hasPeer(sessionWith(address)), address !== "198.51.100.202", address);
  }
});

Deno.test("addresses of this host's ends are forgotten when there are 65,536 of them", () => {
  const addresses = new HostAddresses();
  const { bytes } = makeBatch(...new Array<object>(4096).fill({ local_address: "198.18.0.0" }));
  const view = new DataView(bytes.buffer);
  let made = 0;
  const observe = () => {
    for (let at = RECORD.local_address; at < bytes.length; at += RECORD.size) {
      view.setUint32(at, 0xc6120000 + ++made); // 198.18.0.0/15, RFC 2544: nobody's
    }
    addresses.observe(new SessionBatch(bytes));
  };
  while (made < 65_536) observe();
  assert.ok(addresses.hasPeer(sessionWith("198.18.0.1")), "the first is known still");
  observe();
  observe();
  assert.ok(!addresses.hasPeer(sessionWith("198.18.0.1")), "the first is forgotten");
  assert.ok(addresses.hasPeer(sessionWith("198.19.32.0")), "the last is known");
});

/** A session with `address` in the test's own namespace. */
function sessionWith(address: string): Session {
  const local = address.includes(":") ? "2001:db8::9" : "192.0.2.9";
  return makeSession({ local_address: local, peer_address: address, netns: ownNamespace() });
}

function ownNamespace(): number {
  return Number(/\d+/.exec(Deno.readLinkSync("/proc/self/ns/net"))?.[0]);
}

import { strict as assert } from "node:assert";
import { networkInterfaces } from "node:os";
import { HostAddresses, parseFibTrie, parseIfInet6 } from "../../src/host_addresses.ts";

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

Deno.test("parseFibTrie() finds the local addresses, neither networks nor broadcast", () => {
  assert.deepEqual(parseFibTrie(FIB_TRIE), ["127.0.0.1", "172.16.0.2"]);
  assert.deepEqual(parseFibTrie(""), []);
});

Deno.test("parseIfInet6() finds the addresses, as RFC 5952 writes them", () => {
  const text = `00000000000000000000000000000001 01 80 10 80       lo
fe800000000000004cd22ffffe6ac8c4 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
`;
  assert.deepEqual(parseIfInet6(text), ["::1", "fe80::4cd2:2fff:fe6a:c8c4", "2001:db8::7"]);
  assert.deepEqual(parseIfInet6(""), []);
});

const LOOPBACK: [address: string, family: "ipv4" | "ipv6", here: boolean][] = [
  ["127.0.0.1", "ipv4", true],
  ["127.200.1.2", "ipv4", true], // all of 127/8 is loopback
  ["::1", "ipv6", true],
  ["192.0.2.1", "ipv4", false], // RFC 5737, RFC 3849: nobody's
  ["2001:db8::1", "ipv6", false],
];

for (const [address, family, here] of LOOPBACK) {
  Deno.test(`${address} is ${here ? "" : "not "}on this host`, () => {
    assert.equal(new HostAddresses().has(address, family, ownNamespace()), here);
  });
}

Deno.test("each address of each interface is on this host", () => {
  const addresses = new HostAddresses();
  const interfaces = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  assert.ok(interfaces.length > 0);
  for (const { address, family } of interfaces) {
    assert.ok(addresses.has(address, family === "IPv4" ? "ipv4" : "ipv6", ownNamespace()), address);
  }
});

function ownNamespace(): number {
  return Number(/\d+/.exec(Deno.readLinkSync("/proc/self/ns/net"))?.[0]);
}

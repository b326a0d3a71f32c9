import assert from "node:assert/strict";
import { parseCgroup2, parseCgroups } from "../../src/host/cgroup.ts";
import { parseFibNetworks, parseIpv6Networks } from "../../src/host/local_networks.ts";
import { parseFibTrie, parseIfInet6 } from "../../src/span/host_addresses.ts";
import { parseEnviron, parseStartTime } from "../../src/host/procfs.ts";
import { toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

const ID = "a".repeat(64);
const UUID = "00000000-0000-0000-0000-000000000000";

/** Files of /proc with names that other processes chose. */
fuzz("procfs", (bytes) => {
  const text = toText(bytes);
  for (const names of [parseCgroups(text), parseCgroup2(text)]) {
    assert.match(
      names.containerId ?? ID,
      /^(?:[0-9a-f]{64}|[0-9a-f]{32}-\d{1,20}|[0-9a-f-]{28,36})$/,
    );
    assert.match(
      names.podUid ?? UUID,
      /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/,
    );
    assert.match(names.service ?? "x", /^[\w:.\\@-]+$/);
  }
  const start = parseStartTime(text);
  assert.ok(start === undefined || !start.includes(" "));
  const name = parseEnviron(text, "OTEL_SERVICE_NAME");
  assert.ok(name === undefined || name !== "" && !name.includes("\0"));
  for (const address of parseFibTrie(text)) assert.ok(!/\s/.test(address));
  for (const address of parseIfInet6(text)) assert.equal(address.length, 16);
  for (const { bytes, prefix } of [...parseFibNetworks(text), ...parseIpv6Networks(text)]) {
    assert.ok(prefix > 0 && prefix < 8 * bytes.length);
  }
}, {
  tokens: [
    "0::/",
    ".service",
    "/docker/",
    "/payload/user.slice/",
    "/libpod-conmon-",
    "/garden/",
    ID,
    ID.slice(32),
    "-1234567890",
    ".scope",
    ".slice",
    "/kubepods/pod",
    UUID,
    UUID.replaceAll("-", "_"),
    UUID.slice(0, 28),
    "OTEL_SERVICE_NAME=",
    "\0",
    ") S ",
    "|-- 10.0.0.1\n   /32 host LOCAL\n",
    "Local:\n|-- 10.79.0.0\n   /24 host LOCAL\n",
    `${"fd".repeat(16)} 40 ${"0".repeat(32)} 00 ${"0".repeat(32)} 0 1 0 80000001 lo\n`,
  ],
});

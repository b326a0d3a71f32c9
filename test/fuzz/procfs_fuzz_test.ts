import assert from "node:assert/strict";
import { parseCgroup2, parseCgroups } from "../../src/host/cgroup.ts";
import { parseFibTrie, parseIfInet6 } from "../../src/span/host_addresses.ts";
import { parseEnviron, parseStartTime } from "../../src/host/procfs.ts";
import { toText } from "./expect.ts";
import { fuzz } from "./fuzz.ts";

/** Files of /proc with names that other processes chose. */
fuzz("procfs", (bytes) => {
  const text = toText(bytes);
  for (const names of [parseCgroups(text), parseCgroup2(text)]) {
    assert.ok(names.containerId === undefined || /^[0-9a-f]{64}$/.test(names.containerId));
    assert.ok(names.podUid === undefined || /^[0-9a-f-]{36}$/.test(names.podUid));
    assert.ok(!/[/\n]/.test(names.service ?? ""), names.service ?? "");
  }
  const start = parseStartTime(text);
  assert.ok(start === undefined || !start.includes(" "));
  const name = parseEnviron(text, "OTEL_SERVICE_NAME");
  assert.ok(name === undefined || name !== "" && !name.includes("\0"));
  for (const address of parseFibTrie(text)) assert.ok(!/\s/.test(address));
  for (const address of parseIfInet6(text)) assert.equal(address.length, 16);
}, {
  tokens: [
    "0::/",
    ".service",
    "/docker/",
    "a".repeat(64),
    ".scope",
    "/kubepods/pod",
    "00000000-0000-0000-0000-000000000000",
    "OTEL_SERVICE_NAME=",
    "\0",
    ") S ",
    "|-- 10.0.0.1\n   /32 host LOCAL\n",
  ],
});

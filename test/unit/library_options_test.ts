/** Options of capture(), looked at before anything is attached. */
import assert from "node:assert/strict";
import { capture, type CaptureOptions, UsageError } from "../../mod.ts";
import { checkCaptureOptions } from "../../src/library/check_options.ts";

const ALL: Required<CaptureOptions> = {
  pids: [1, 4_194_304],
  localPorts: [0, 65535],
  remotePorts: [443],
  families: ["ipv4", "ipv6"],
  includeCidrs: ["10.0.0.0/8", "fd00::1"],
  excludeCidrs: ["127.0.0.1"],
  excludeExecutables: ["curl"],
  excludeCgroups: ["/system.slice/nginx.service"],
  minBytes: 0,
  minDuration: 2 ** 31 - 1,
  maxSessionsPerSecond: 1,
  sampling: { ratio: 0.1, keepErrors: true, key: "" },
  ringBuffer: 2 ** 18,
  existing: false,
  interim: 100,
  reportOpenOnExit: true,
  ownTraffic: false,
  pin: "/sys/fs/bpf/tcpspan",
  signal: AbortSignal.abort(),
};

Deno.test("capture() has no objection to any of its options, nor to none of them", () => {
  checkCaptureOptions(ALL);
  checkCaptureOptions({});
  checkCaptureOptions({ sampling: undefined, interim: undefined, pin: undefined });
});

const WRONG: readonly [options: unknown, problem: string][] = [
  [{ remotePort: [443] }, 'there is no option remotePort: did you mean "remotePorts"?'],
  [{ ports: [443] }, "there is no option ports"],
  [{ toString: 1 }, "there is no option toString"],
  [
    { sampling: { ratios: 1 } },
    'there is no option sampling.ratios: did you mean "ratio"?; ' +
    "sampling.ratio is missing",
  ],
  [{ remotePorts: 443 }, "remotePorts is 443: expected a list, each a port from 0 to 65535"],
  [
    { remotePorts: [443, 65536] },
    "remotePorts is [ 443, 65536 ]: expected a list, each a port from 0 to 65535",
  ],
  [
    { pids: ["1"] },
    'pids is [ "1" ]: expected a list, each a process id from 1 to 4194304, 64 at most',
  ],
  [{ families: ["ipv5"] }, 'families is [ "ipv5" ]: expected a list, each "ipv4" or "ipv6"'],
  [
    { includeCidrs: ["10.0.0.0/33"] },
    'includeCidrs is [ "10.0.0.0/33" ]: expected a list, each a network such as 10.0.0.0/8 or ' +
    "fd00::/8",
  ],
  [
    { excludeExecutables: ["/usr/bin/curl"] },
    'excludeExecutables is [ "/usr/bin/curl" ]: expected a list, each the name of an executable ' +
    "without its folder, 63 bytes at most",
  ],
  [
    { ringBuffer: 3_000_000 },
    "ringBuffer is 3000000: expected a power of two from 262144 (256 KiB) to 1073741824 (1 GiB)",
  ],
  [
    { sampling: { ratio: 2 } },
    "sampling.ratio is 2: expected a number above 0, and 1 at most",
  ],
  [{ sampling: 0.5 }, "sampling is 0.5: expected an object with ratio, keepErrors and key"],
  [{ minBytes: 5n }, "minBytes is 5n: expected a number of bytes from 0 to 9007199254740991"],
  [{ interim: 1 }, "interim is 1: expected milliseconds from 100 to 2147483647"],
  [{ existing: "no" }, 'existing is "no": expected true or false'],
  [{ signal: {} }, "signal is {}: expected an AbortSignal"],
  [
    { pin: "tcpspan" },
    'pin is "tcpspan": expected the path of a folder such as ' +
    "/sys/fs/bpf/tcpspan, without dots",
  ],
  [
    { pids: 1, existing: 1 },
    "pids is 1: expected a list, each a process id from 1 to 4194304, " +
    "64 at most; existing is 1: expected true or false",
  ],
  [null, "the options are null, and no object"],
  ["443", 'the options are "443", and no object'],
];
for (const [options, problem] of WRONG) {
  Deno.test(`capture(${Deno.inspect(options)}) says what is wrong`, async () => {
    await assert.rejects(capture(options as CaptureOptions), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, `cannot capture: ${problem}`);
      return true;
    });
  });
}

Deno.test("more pids than the kernel program compares with are wrong", () => {
  const pids = Array.from({ length: 65 }, (_, i) => i + 1);
  assert.throws(() => checkCaptureOptions({ pids }), UsageError);
  checkCaptureOptions({ pids: pids.slice(1) });
});

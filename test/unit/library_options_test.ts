/** Options of what the library exports, checked before anything is done with them. */
import assert from "node:assert/strict";
import {
  capture,
  type CaptureOptions,
  type ExporterType,
  openExporter,
  openSpans,
  UsageError,
} from "../../mod.ts";
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

Deno.test("capture() accepts each of its options, and no options", () => {
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
  [{ sampling: Object.create(null) }, "sampling.ratio is missing"],
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

Deno.test("more pids than the kernel program can compare with are refused", () => {
  const pids = Array.from({ length: 65 }, (_, i) => i + 1);
  assert.throws(() => checkCaptureOptions({ pids }), UsageError);
  checkCaptureOptions({ pids: pids.slice(1) });
});

const WRONG_OF_SPANS: readonly [options: unknown, problem: string][] = [
  [{ kye: "secret" }, 'there is no option kye: did you mean "key"?'],
  [{ key: 5 }, "key is 5: expected text"],
  [{ parent: "yes" }, 'parent is "yes": expected "auto" or "always" or "never"'],
  [
    { peers: "10.0.0.0/8" },
    'peers is "10.0.0.0/8": expected a list, each a network such as 10.0.0.0/8 or fd00::/8',
  ],
  [
    { attributes: { a: {} } },
    "attributes is { a: {} }: expected an object, each member text, a number, true or false, or a " +
    "list of those",
  ],
  [{ commandLine: 1 }, "commandLine is 1: expected true or false"],
  [{ sampling: { ratio: 5 } }, "sampling.ratio is 5: expected a number above 0, and 1 at most"],
  [null, "the options are null, and no object"],
];
for (const [options, problem] of WRONG_OF_SPANS) {
  Deno.test(`openSpans(${Deno.inspect(options)}) says what is wrong`, async () => {
    await assert.rejects(openSpans(options as never), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, `cannot make spans: ${problem}`);
      return true;
    });
  });
}

const UNUSED: ExporterType = { type: "unused", open: () => assert.fail("it was opened") };

const WRONG_OF_EXPORTERS: readonly [options: unknown, problem: string][] = [
  [{ qeue: {} }, 'there is no option qeue: did you mean "queue"?'],
  [{ id: "a b" }, 'id is "a b": expected text without spaces: type or type/name'],
  [{ spans: {} }, "spans is {}: expected what openSpans() gives"],
  [{ warn: true }, "warn is true: expected a function"],
  [
    { queue: { batchSize: 0, linger: "1s" } },
    "queue.batchSize is 0: expected a number of sessions from 1 to 65536; " +
    'queue.linger is "1s": expected milliseconds from 0 to 2147483647',
  ],
  [
    { queue: { retry: { initialInterval: 1 }, consumers: 0 } },
    "queue.retry.maxInterval is missing; queue.retry.maxElapsedTime is missing; " +
    "queue.consumers is 0: expected a number of exports from 1 to 1000",
  ],
  [
    { queue: { storage: "/var/lib" } },
    'queue.storage is "/var/lib": expected an object with folder, persistent and maxBytes',
  ],
  [
    { queue: { storage: { folder: "", persistent: true, maxBytes: 10 } } },
    'queue.storage.folder is "": expected the path of a folder; queue.storage.maxBytes is 10: ' +
    "expected a number of bytes from 65536 to 9007199254740991",
  ],
];
for (const [options, problem] of WRONG_OF_EXPORTERS) {
  Deno.test(`openExporter(type, {}, ${Deno.inspect(options)}) says what is wrong`, async () => {
    await assert.rejects(openExporter(UNUSED, {}, options as never), (error) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, `cannot open an exporter: ${problem}`);
      return true;
    });
  });
}

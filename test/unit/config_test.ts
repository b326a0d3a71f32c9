import assert from "node:assert/strict";
import fc from "fast-check";
import * as z from "zod";
import { exporterTypes } from "../../exporters/registry.ts";
import { duration } from "../../src/config/duration.ts";
import { loadExample } from "../../src/config/example.ts";
import { MAX_DURATION } from "../../src/config/limits.ts";
import {
  type Config,
  LARGEST_FILE,
  loadConfig,
  loadSchemas,
  parseConfig,
} from "../../src/config/load.ts";
import { nearest } from "../../src/messages/nearest.ts";
import { quote } from "../../src/messages/quote.ts";
import { size } from "../../src/config/size.ts";
import { UsageError } from "../../src/messages/errors.ts";

const schemas = await loadSchemas(exporterTypes);
const EXAMPLE = await loadExample(exporterTypes);

const VARIABLES: Readonly<Record<string, string>> = {
  PORT: "8080",
  PID: "17",
  YES: "true",
  TOKEN: "0123",
  FORMAT: "json",
  SECRET: "hunter2",
  NAMES: "[a, b]",
};

function parse(text: string): Config {
  return parseConfig(text, { file: "f.yaml", env: (name) => VARIABLES[name], schemas });
}

/** The lines of the error that `text` causes. */
function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    assert(error instanceof UsageError, String(error));
    return error.message.split("\n");
  }
  return [];
}

const STDOUT = "exporters:\n  stdout:\n";
const capture = (lines: string) => parse(`${STDOUT}capture:\n  ${lines}\n`).capture;
const settings = (id: string, lines: string) => {
  const config = parse(`exporters:\n  ${id}:\n    ${lines.replaceAll("\n", "\n    ")}\n`);
  return config.exporters[0]?.settings as Record<string, unknown>;
};

Deno.test("parseConfig() fills in every default", () => {
  const { exporters, ...rest } = parse(STDOUT);
  assert.deepEqual(rest, {
    capture: {
      pids: [],
      local_ports: [],
      remote_ports: [],
      families: ["ipv4", "ipv6"],
      include_cidrs: [],
      exclude_cidrs: [],
      exclude_executables: [],
      exclude_cgroups: [],
      min_bytes: 0,
      min_duration: 0,
      max_sessions_per_second: 0,
      ring_buffer: 16 * 2 ** 20,
      existing: true,
      interim: "off",
      report_open_on_exit: false,
      own_traffic: false,
      pin: "off",
    },
    sampling: { ratio: 1, keep_errors: false },
    resource: { attributes: {}, command_line: false, from_process_env: false },
    trace: { parent: "auto", peers: [], key: "" },
    shutdown_timeout: 5000,
    drop_privileges: false,
    telemetry: {},
  });
  assert.equal(exporters.length, 1);
  assert.equal(exporters[0]?.id, "stdout");
  assert.equal(exporters[0]?.type.type, "stdout");
  assert.deepEqual(exporters[0]?.settings, { format: "table", time: false, timestamp: false });
});

Deno.test("parseConfig() takes the defaults for an empty section", () => {
  const empty = `${STDOUT}capture:\nsampling:\nresource:\n  attributes:\ntrace:\ntelemetry:\n`;
  const { exporters: _, ...rest } = parse(empty);
  const { exporters: __, ...defaults } = parse(STDOUT);
  assert.deepEqual(rest, defaults);
  assert.deepEqual(settings("otlp", "tls:\nheaders:\nsending_queue:"), {
    headers: undefined,
    tls: { insecure_skip_verify: false },
    sending_queue: { ...QUEUE, num_consumers: 4 },
    retry_on_failure: RETRY,
  });
});

const QUEUE = {
  enabled: true,
  queue_size: 100_000,
  when_full: "drop_newest",
  persistent: false,
  max_bytes: 2 ** 30,
};

const RETRY = {
  enabled: true,
  initial_interval: 1000,
  max_interval: 30_000,
  max_elapsed_time: 0,
};

Deno.test("parseConfig() gives the file exporter its defaults", () => {
  assert.deepEqual(settings("file", "path: x"), {
    path: "x",
    append: true,
    rotation: { max_megabytes: 100, max_backups: 5, max_days: 7 },
    compression: "none",
    sending_queue: QUEUE,
    retry_on_failure: RETRY,
  });
});

Deno.test("parseConfig() gives a module the defaults of a queue", () => {
  assert.deepEqual(settings("zipkin", "module: npm:x@1.0.0\nexport: X"), {
    module: "npm:x@1.0.0",
    export: "X",
    options: {},
    sending_queue: QUEUE,
  });
});

Deno.test("parseConfig() reads where a queue waits on disk", () => {
  for (const id of ["otlp/a", "file"]) {
    const text = `${id === "file" ? "path: x\n" : ""}sending_queue:
  { storage: spool, persistent: true, max_bytes: 1MiB, when_full: drop_oldest }`;
    const { storage, persistent, max_bytes, when_full } = Object(settings(id, text)).sending_queue;
    assert.deepEqual([storage, persistent, max_bytes, when_full], [
      "spool",
      true,
      2 ** 20,
      "drop_oldest",
    ]);
  }
});

const telemetry = (lines: string) =>
  parse(`exporters:\n  otlp/a:\n  stdout:\ntelemetry:\n  ${lines}\n`).telemetry;

Deno.test("parseConfig() has telemetry off if it is left out, and on if it is empty", () => {
  assert.deepEqual(telemetry(""), {});
  assert.deepEqual(telemetry("otlp:"), { otlp: { interval: 60_000 } });
  assert.deepEqual(telemetry("prometheus:"), {
    prometheus: { listen: { host: "127.0.0.1", port: 9464 } },
  });
});

Deno.test("parseConfig() reads telemetry", () => {
  assert.deepEqual(telemetry("otlp: { exporter: otlp/a, interval: 1s }"), {
    otlp: { exporter: "otlp/a", interval: 1000 },
  });
});

const LISTEN: [text: string, host: string, port: number][] = [
  ["127.0.0.1:0", "127.0.0.1", 0],
  ["127.255.0.9:65535", "127.255.0.9", 65535],
  ["[::1]:80", "::1", 80],
];

for (const [text, host, port] of LISTEN) {
  Deno.test(`parseConfig() has the Prometheus page listen on ${text}`, () => {
    assert.deepEqual(telemetry(`prometheus: { listen: "${text}" }`), {
      prometheus: { listen: { host, port } },
    });
  });
}

Deno.test("parseConfig() reads every key of the example", () => {
  const { exporters } = parse(EXAMPLE);
  assert.deepEqual(exporters.map(({ id, type }) => [id, type.type]), [
    ["stdout", "stdout"],
    ["otlp/jaeger", "otlp"],
    ["file", "file"],
    ["zipkin", "module"],
  ]);
});

Deno.test("the values of the example are the defaults, apart from its exporters", () => {
  const { exporters: _, ...rest } = parse(EXAMPLE);
  const { exporters: __, ...defaults } = parse(STDOUT);
  assert.deepEqual(rest, defaults);
});

Deno.test("parseConfig() reads lists, and drops repeated items", () => {
  assert.deepEqual(capture("pids: [1, 2, 1]").pids, [1, 2]);
  assert.deepEqual(capture("local_ports: [80]").local_ports, [80]);
  assert.deepEqual(capture("families: [ipv6, ipv6]").families, ["ipv6"]);
});

Deno.test("parseConfig() takes pin: off, also as false, or a path", () => {
  assert.equal(capture("pin: /sys/fs/bpf/a").pin, "/sys/fs/bpf/a");
  assert.equal(capture("pin: off").pin, "off");
  assert.equal(capture("pin: false").pin, "off");
});

Deno.test("parseConfig() takes interim: off, also as false, or a duration", () => {
  assert.equal(capture("interim: 30s").interim, 30_000);
  assert.equal(capture("interim: off").interim, "off");
  assert.equal(capture("interim: false").interim, "off");
});

Deno.test("parseConfig() reads sampling and the controls of volume", () => {
  assert.deepEqual(parse(`${STDOUT}sampling: { ratio: 0.1, keep_errors: true }\n`).sampling, {
    ratio: 0.1,
    keep_errors: true,
  });
  assert.equal(capture("min_bytes: 4KiB").min_bytes, 4096);
  assert.equal(capture("min_duration: 1.5s").min_duration, 1500);
  assert.deepEqual(capture("exclude_executables: [a b, a b]").exclude_executables, ["a b"]);
});

Deno.test("parseConfig() reads networks and addresses", () => {
  const cidrs = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"];
  assert.deepEqual(capture(`include_cidrs: ${JSON.stringify(cidrs)}`).include_cidrs, cidrs);
});

Deno.test("parseConfig() expands references and types them as YAML would, quoted or not", () => {
  assert.deepEqual(capture("local_ports:\n    - ${env:PORT}").local_ports, [8080]);
  assert.equal(capture("existing: ${env:NO:-false}").existing, false);
  assert.equal(capture("ring_buffer: ${env:MIB:-32}MiB").ring_buffer, 32 * 2 ** 20);
  assert.equal(settings("stdout", "format: ${env:FORMAT}")["format"], "json");
  assert.deepEqual(capture('pids: ["${env:PID}"]').pids, [17]);
  assert.deepEqual(problems(`${STDOUT}capture:\n  pids:\n    - !!str "\${env:PID}"\n`), [
    "f.yaml:5:13: capture.pids[0]: found text from the environment: expected a process id from 1 to 4194304",
  ]);
});

Deno.test("parseConfig() keeps the text of a reference where text is expected", () => {
  const headers = settings("otlp", "headers:\n  a: ${env:TOKEN}\n  b: x${env:TOKEN}")["headers"];
  assert.deepEqual(headers, { a: "0123", b: "x0123" });
  assert.equal(parse(`${STDOUT}trace:\n  key: \${env:YES}\n`).trace.key, "true");
});

Deno.test("parseConfig() never makes a list or a mapping from a variable", () => {
  assert.equal(parse(`${STDOUT}trace:\n  key: \${env:NAMES}\n`).trace.key, "[a, b]");
});

Deno.test("parseConfig() leaves keys unexpanded", () => {
  const { attributes } = parse(`${STDOUT}resource:\n  attributes:\n    $$\{env:X}: 1\n`).resource;
  assert.deepEqual(attributes, { "$${env:X}": 1 });
});

Deno.test("parseConfig() follows aliases", () => {
  const { capture } = parse(
    `${STDOUT}capture:\n  local_ports: &p [80, 443]\n  remote_ports: *p\n`,
  );
  assert.deepEqual(capture.remote_ports, [80, 443]);
});

Deno.test("parseConfig() takes an exporter with any id for a module if it has the key module", () => {
  const { exporters } = parse(
    "exporters:\n" +
      "  zipkin: { module: npm:x@1.0.0, export: X }\n" +
      "  otlp/mine: { module: ./mine.ts, export: Mine, options: { deep: [1, { a: null }] } }\n",
  );
  assert.deepEqual(exporters.map(({ id, type }) => [id, type.type]), [
    ["zipkin", "module"],
    ["otlp/mine", "module"],
  ]);
  assert.deepEqual((exporters[1]?.settings as { options: unknown }).options, {
    deep: [1, { a: null }],
  });
});

Deno.test("parseConfig() takes host:port as an endpoint for grpc", () => {
  const { endpoint } = settings("otlp", "protocol: grpc\nendpoint: jaeger:4317");
  assert.equal(endpoint, "jaeger:4317");
});

const EMPTY = "empty: expected a mapping with an exporters section";
const TOP = "expected one of capture, sampling, resource, trace, shutdown_timeout, " +
  "drop_privileges, telemetry, exporters";
const URL_EXPECTED = "expected an http or https URL such as http://localhost:4318";
const RING = "expected a power of two from 256KiB to 1GiB, such as 16MiB";
const OTLP_KEYS = "expected one of endpoint, traces_endpoint, protocol, headers, compression, " +
  "timeout, tls, sending_queue, retry_on_failure";

/** A config, and every line of its error. */
const BAD: readonly [name: string, text: string, lines: readonly string[]][] = [
  ["nothing", "", [`f.yaml:1:1: ${EMPTY}`]],
  ["comments alone", "# x\n\n", [`f.yaml:1:1: ${EMPTY}`]],
  ["~", "~", [`f.yaml:1:1: ${EMPTY}`]],
  ["a list", "- a\n", [
    "f.yaml:1:1: found a list: expected a mapping with an exporters section",
  ]],
  ["a word", "hello", [
    'f.yaml:1:1: found "hello": expected a mapping with an exporters section',
  ]],
  ["binary junk", "\x7fELF\x02\0\0", ["f.yaml:1:1: not a text file: expected YAML in UTF-8"]],
  ["a second document", `${STDOUT}---\n${STDOUT}`, [
    "f.yaml:3:1: a second document: expected one",
  ]],
  ["a bracket left open", "exporters: [", [
    "f.yaml:1:13: not YAML: flow sequence in block collection must be sufficiently indented and " +
    "end with a ]",
  ]],
  ["a tab as indentation", "exporters:\n\tstdout:\n", [
    "f.yaml:2:1: not YAML: tabs are not allowed as indentation: expected spaces",
  ]],
  ["a reference without quotes within brackets", "capture: { pids: [${env:PID}] }\n", [
    "f.yaml:1:20: found ${…} without quotes within [ ] or { }: expected quotes around the value",
  ]],
  ["a stray brace, without showing the text there", "a: b\n}hunter2", [
    "f.yaml:2:1: not YAML: unexpected flow-map-end token in YAML stream",
    "f.yaml:2:2: not YAML: unexpected scalar token in YAML stream",
  ]],
  ["an unknown tag", `${STDOUT}trace:\n  key: !secret x\n`, [
    "f.yaml:4:8: not YAML: unresolved tag",
  ]],
  ["a duplicate key", `${STDOUT}capture:\n  pids: []\n  pids: []\n`, [
    "f.yaml:5:3: capture.pids: duplicate key: expected it once, found it on line 4 too",
  ]],
  ["a duplicate exporter id", "exporters:\n  otlp:\n  stdout:\n  otlp:\n", [
    "f.yaml:4:3: exporters.otlp: duplicate key: expected it once, found it on line 2 too",
  ]],
  ["a duplicate exporter id in other quotes", "exporters:\n  otlp/a:\n  'otlp/a':\n", [
    "f.yaml:3:3: exporters.otlp/a: duplicate key: expected it once, found it on line 2 too",
  ]],
  ["a key that is a list", `${STDOUT}? [a]\n: b\n`, [
    "f.yaml:3:3: found a key that is no plain word: expected a name",
  ]],
  ["the key __proto__", `${STDOUT}trace:\n  __proto__: { key: x }\n`, [
    "f.yaml:4:3: trace.__proto__: unknown key: expected another name",
  ]],
  ["an unknown alias", `${STDOUT}trace: *t\n`, [
    "f.yaml:3:8: trace: unknown alias: expected an anchor before it",
  ]],
  ["an alias that contains itself", `${STDOUT}capture: &c\n  pids: *c\n`, [
    "f.yaml:4:9: capture.pids: an alias that contains itself: expected another value",
  ]],
  ["no exporters", "capture:\n  pids: [1]\n", [
    "f.yaml:1:1: exporters: missing: expected a mapping of exporter ids, such as stdout or " +
    "otlp/jaeger, to their settings",
  ]],
  ["exporters without contents", "exporters:\n", [
    "f.yaml:1:1: exporters: found nothing: expected a mapping of exporter ids, such as stdout or " +
    "otlp/jaeger, to their settings",
  ]],
  ["an empty mapping of exporters", "exporters: {}\n", [
    "f.yaml:1:1: exporters: no exporter: expected at least one, such as stdout or otlp",
  ]],
  ["a list of exporters", "exporters:\n  - stdout\n", [
    "f.yaml:2:3: exporters: found a list: did you mean { stdout: {} }? expected a mapping of exporter ids, such as stdout or " +
    "otlp/jaeger, to their settings",
  ]],
  ["an unknown exporter type", "exporters:\n  otpl/jaeger:\n", [
    'f.yaml:2:3: exporters.otpl/jaeger: unknown exporter type "otpl": did you mean "otlp"? ' +
    "expected stdout, otlp, file, or a module key that names a package",
  ]],
  ["an unknown exporter type that is similar to none", "exporters:\n  kafka:\n", [
    'f.yaml:2:3: exporters.kafka: unknown exporter type "kafka": expected stdout, otlp, file, ' +
    "or a module key that names a package",
  ]],
  ["an exporter id without a name", "exporters:\n  otlp/:\n", [
    "f.yaml:2:3: exporters.otlp/: invalid id: expected type or type/name",
  ]],
  ["settings that are a word", "exporters:\n  otlp: yes\n", [
    'f.yaml:2:9: exporters.otlp: found "yes": expected a mapping',
  ]],
  ["an unknown key at the top", `${STDOUT}exporter:\n`, [
    `f.yaml:3:1: exporter: unknown key: did you mean "exporters"? ${TOP}`,
  ]],
  ["an unknown key that is similar to none", `${STDOUT}zzz: 1\n`, [
    `f.yaml:3:1: zzz: unknown key: ${TOP}`,
  ]],
  ["an unknown key in a section", `${STDOUT}trace:\n  parents: auto\n`, [
    'f.yaml:4:3: trace.parents: unknown key: did you mean "parent"? expected one of parent, peers, key',
  ]],
  ["an unknown key of an exporter", "exporters:\n  otlp:\n    endpont: x\n", [
    `f.yaml:3:5: exporters.otlp.endpont: unknown key: did you mean "endpoint"? ${OTLP_KEYS}`,
  ]],
  ["an unknown key of a queue", "exporters:\n  otlp:\n    sending_queue: { size: 1 }\n", [
    'f.yaml:3:22: exporters.otlp.sending_queue.size: unknown key: did you mean "queue_size"? ' +
    "expected one of enabled, " +
    "queue_size, when_full, storage, persistent, max_bytes, num_consumers",
  ]],
  [
    "consumers of a file",
    "exporters:\n  file: { path: x, sending_queue: { num_consumers: 2 } }\n",
    [
      "f.yaml:2:37: exporters.file.sending_queue.num_consumers: unknown key: expected one of " +
      "enabled, queue_size, when_full, storage, persistent, max_bytes",
    ],
  ],
  ["a queue of stdout", "exporters:\n  stdout: { sending_queue: { persistent: true } }\n", [
    "f.yaml:2:13: exporters.stdout.sending_queue: unknown key: expected one of format, time, " +
    "timestamp",
  ]],
  [
    "a persistent queue without storage",
    "exporters:\n  otlp: { sending_queue: { persistent: true } }\n",
    [
      "f.yaml:2:40: exporters.otlp.sending_queue.persistent: found true: expected a storage folder " +
      "with it",
    ],
  ],
  [
    "a storage without a queue",
    "exporters:\n  otlp: { sending_queue: { enabled: false, storage: x } }\n",
    [
      'f.yaml:2:53: exporters.otlp.sending_queue.storage: found "x": expected none where enabled is ' +
      "false",
    ],
  ],
  ["a storage without a name", 'exporters:\n  otlp: { sending_queue: { storage: "" } }\n', [
    'f.yaml:2:37: exporters.otlp.sending_queue.storage: found "": expected the path of a folder',
  ]],
  ["a storage that is too small", "exporters:\n  otlp: { sending_queue: { max_bytes: 1KiB } }\n", [
    'f.yaml:2:39: exporters.otlp.sending_queue.max_bytes: found "1KiB": expected a size of at ' +
    "least 64KiB, such as 1GiB",
  ]],
  ["a bad when_full", "exporters:\n  otlp: { sending_queue: { when_full: drop } }\n", [
    'f.yaml:2:39: exporters.otlp.sending_queue.when_full: found "drop": expected drop_newest or ' +
    "drop_oldest",
  ]],
  ["an unknown key of retries", "exporters:\n  otlp:\n    retry_on_failure: { enable: true }\n", [
    'f.yaml:3:25: exporters.otlp.retry_on_failure.enable: unknown key: did you mean "enabled"? ' +
    "expected one of enabled, initial_interval, max_interval, max_elapsed_time",
  ]],
  ["a key in camel case", `${STDOUT}capture:\n  localPorts: []\n`, [
    'f.yaml:4:3: capture.localPorts: unknown key: did you mean "local_ports"? ' +
    "expected one of pids, local_ports, " +
    "remote_ports, families, include_cidrs, exclude_cidrs, exclude_executables, " +
    "exclude_cgroups, min_bytes, min_duration, max_sessions_per_second, ring_buffer, existing, " +
    "interim, report_open_on_exit, own_traffic, pin",
  ]],
  ...[
    "0.0.0.0:9464",
    "9464",
    ":9464",
    "localhost:9464",
    "10.0.0.1:9464",
    "[::]:9464",
    "::1:9464",
    "127.0.0.256:9464",
    "127.0.0.1:65536",
    "127.0.0.1",
    "127.0.0.1:9464/metrics",
  ].map((listen): [string, string, string[]] => [
    `a Prometheus page on ${listen}`,
    `${STDOUT}telemetry: { prometheus: { listen: "${listen}" } }\n`,
    [
      `f.yaml:3:36: telemetry.prometheus.listen: found "${listen}": ` +
      (/^(0\.0\.0\.0:|localhost:|\[::\]:|:)?9464$/.test(listen)
        ? 'did you mean "127.0.0.1:9464"? '
        : "") +
      "expected a loopback address " +
      "and a port, such as 127.0.0.1:9464 or [::1]:9464",
    ],
  ]),
  [
    "metrics that are sent all the time",
    "exporters: { otlp: }\ntelemetry: { otlp: { interval: 999ms } }\n",
    [
      'f.yaml:2:32: telemetry.otlp.interval: found "999ms": expected a duration of at least 1s, ' +
      "such as 60s",
    ],
  ],
  ["metrics without an otlp exporter", `${STDOUT}telemetry: { otlp: }\n`, [
    "f.yaml:3:14: telemetry.otlp: no exporter: expected an otlp exporter, and found none",
  ]],
  [
    "metrics with several otlp exporters, without naming one",
    "exporters: { otlp/a: , otlp/b: , stdout: }\ntelemetry: { otlp: }\n",
    [
      "f.yaml:2:14: telemetry.otlp: no exporter: expected exporter: otlp/a or otlp/b",
    ],
  ],
  [
    "metrics by an unknown exporter",
    "exporters: { otlp/jaeger: }\ntelemetry: { otlp: { exporter: otlp/jager } }\n",
    [
      'f.yaml:2:32: telemetry.otlp.exporter: found "otlp/jager": ' +
      'did you mean "otlp/jaeger"? expected otlp/jaeger',
    ],
  ],
  [
    "metrics by an exporter that cannot send them",
    "exporters: { otlp: , stdout: }\ntelemetry: { otlp: { exporter: stdout } }\n",
    [
      'f.yaml:2:32: telemetry.otlp.exporter: found "stdout": expected otlp',
    ],
  ],
  ["an unknown key of telemetry", `${STDOUT}telemetry: { prometheus: { port: 1 } }\n`, [
    'f.yaml:3:28: telemetry.prometheus.port: unknown key: did you mean "listen"? expected one of ' +
    "listen",
  ]],
  ["a key that would act on the terminal", `${STDOUT}"\\e[2J\\u202e": 1\n`, [
    `f.yaml:3:1: "\\u001b[2J\\u202e": unknown key: ${TOP}`,
  ]],
  ...[0, -0.1, 1.5, '"half"'].map((ratio): [string, string, string[]] => [
    `the ratio ${ratio}`,
    `${STDOUT}sampling: { ratio: ${ratio} }\n`,
    [
      `f.yaml:3:20: sampling.ratio: found ${ratio}: expected a number above 0 and at most 1, ` +
      "such as 0.1",
    ],
  ]),
  ["keep_errors that is not a boolean", `${STDOUT}sampling: { keep_errors: all }\n`, [
    'f.yaml:3:26: sampling.keep_errors: found "all": expected true or false',
  ]],
  ["an executable with its folder", `${STDOUT}capture:\n  exclude_executables: [/bin/sh]\n`, [
    'f.yaml:4:25: capture.exclude_executables[0]: found "/bin/sh": expected the name of an ' +
    "executable without its folder, 63 bytes at most",
  ]],
  ["a cgroup that is not a path", `${STDOUT}capture:\n  exclude_cgroups: [nginx.service]\n`, [
    'f.yaml:4:21: capture.exclude_cgroups[0]: found "nginx.service": expected a path as in ' +
    "/proc/PID/cgroup, such as /system.slice/nginx.service",
  ]],
  ["the root as a cgroup", `${STDOUT}capture:\n  exclude_cgroups: [/]\n`, [
    'f.yaml:4:21: capture.exclude_cgroups[0]: found "/": expected a path as in ' +
    "/proc/PID/cgroup, such as /system.slice/nginx.service",
  ]],
  ["bytes without a unit", `${STDOUT}capture:\n  min_bytes: 100\n`, [
    "f.yaml:4:14: capture.min_bytes: found 100: " +
    'did you mean "100B"? expected a size such as 256KiB or 16MiB',
  ]],
  ["a cap below 0", `${STDOUT}capture:\n  max_sessions_per_second: -1\n`, [
    "f.yaml:4:28: capture.max_sessions_per_second: found -1: expected a number from 0 to " +
    "4294967295",
  ]],
  ["a pid that is text", `${STDOUT}capture:\n  pids: [1, abc]\n`, [
    'f.yaml:4:13: capture.pids[1]: found "abc": expected a process id from 1 to 4194304',
  ]],
  ["the pid 0", `${STDOUT}capture:\n  pids: [0]\n`, [
    "f.yaml:4:10: capture.pids[0]: found 0: expected a process id from 1 to 4194304",
  ]],
  ["a pid with a fraction", `${STDOUT}capture:\n  pids: [1.5]\n`, [
    "f.yaml:4:10: capture.pids[0]: found 1.5: expected a process id from 1 to 4194304",
  ]],
  ["65 pids", `${STDOUT}capture:\n  pids: [${Array.from({ length: 65 }, (_, i) => i + 1)}]\n`, [
    "f.yaml:4:9: capture.pids: found a list: expected a list of at most 64 process ids",
  ]],
  ["a pid that is not in a list", `${STDOUT}capture:\n  pids: 1\n`, [
    "f.yaml:4:9: capture.pids: found 1: did you mean [1]? expected a list of at most 64 process ids",
  ]],
  ["a port above 65535", `${STDOUT}capture:\n  local_ports: [70000]\n`, [
    "f.yaml:4:17: capture.local_ports[0]: found 70000: expected a port from 1 to 65535",
  ]],
  ["an unknown family", `${STDOUT}capture:\n  families: [ipv5]\n`, [
    'f.yaml:4:14: capture.families[0]: found "ipv5": did you mean "ipv4"? expected ipv4 or ipv6',
  ]],
  ["no family", `${STDOUT}capture:\n  families: []\n`, [
    "f.yaml:4:13: capture.families: found a list: expected at least one of ipv4 and ipv6",
  ]],
  ["a network that is none", `${STDOUT}capture:\n  exclude_cidrs: [10.0.0.0/33]\n`, [
    'f.yaml:4:19: capture.exclude_cidrs[0]: found "10.0.0.0/33": expected a network such as ' +
    "10.0.0.0/8 or 2001:db8::/32, or one address",
  ]],
  ["a ring buffer that is no power of two", `${STDOUT}capture:\n  ring_buffer: 3MiB\n`, [
    `f.yaml:4:16: capture.ring_buffer: found "3MiB": did you mean "4MiB"? ${RING}`,
  ]],
  ["a ring buffer below 256KiB", `${STDOUT}capture:\n  ring_buffer: 128KiB\n`, [
    `f.yaml:4:16: capture.ring_buffer: found "128KiB": ${RING}`,
  ]],
  ["a ring buffer above 1GiB", `${STDOUT}capture:\n  ring_buffer: 2GiB\n`, [
    `f.yaml:4:16: capture.ring_buffer: found "2GiB": ${RING}`,
  ]],
  ["a ring buffer without a unit", `${STDOUT}capture:\n  ring_buffer: 16777216\n`, [
    `f.yaml:4:16: capture.ring_buffer: found 16777216: did you mean "16MiB"? ${RING}`,
  ]],
  ["a decimal unit", `${STDOUT}capture:\n  ring_buffer: 16MB\n`, [
    `f.yaml:4:16: capture.ring_buffer: found "16MB": did you mean "16MiB"? ${RING}`,
  ]],
  ["a word for a boolean", `${STDOUT}capture:\n  existing: yes\n`, [
    'f.yaml:4:13: capture.existing: found "yes": did you mean true? expected true or false',
  ]],
  ["nothing for a boolean", `${STDOUT}capture:\n  existing:\n`, [
    "f.yaml:4:3: capture.existing: found nothing: expected true or false",
  ]],
  ...[["10ms", '"10ms"'], ["soon", '"soon"'], ["5", "5"], ["true", "true"], ["[1s]", "a list"]]
    .map(([yaml, found]): [string, string, string[]] => [
      `interim: ${yaml}`,
      `${STDOUT}capture:\n  interim: ${yaml}\n`,
      [
        `f.yaml:4:12: capture.interim: found ${found}: ${
          found === "5" ? 'did you mean "5s"? ' : ""
        }expected off, or a duration of at least 100ms, such as 30s`,
      ],
    ]),
  ...["tcpspan", "/sys/fs/bpf/tcp.span", "/", "true"].map((pin): [string, string, string[]] => [
    `pin: ${pin}`,
    `${STDOUT}capture:\n  pin: ${pin}\n`,
    [
      `f.yaml:4:8: capture.pin: found ${
        pin === "true" ? pin : JSON.stringify(pin)
      }: expected off, ` +
      "or the path of a folder such as /sys/fs/bpf/tcpspan, without dots",
    ],
  ]),
  ["an attribute that is a mapping", `${STDOUT}resource:\n  attributes: { a: { b: c } }\n`, [
    "f.yaml:4:20: resource.attributes.a: found a mapping: expected text, a number, true or " +
    "false, or a list of one kind of these",
  ]],
  ["an attribute without a name", `${STDOUT}resource:\n  attributes: { "": x }\n`, [
    'f.yaml:4:17: resource.attributes."": an invalid name: expected a name that is not empty',
  ]],
  ["an unknown way with parents", `${STDOUT}trace:\n  parent: maybe\n`, [
    'f.yaml:4:11: trace.parent: found "maybe": expected auto, always or never',
  ]],
  ["a key that is a number, without showing it", `${STDOUT}trace:\n  key: 271828\n`, [
    "f.yaml:4:8: trace.key: found a number: expected text",
  ]],
  ["an unset variable", `${STDOUT}trace:\n  key: "x\${env:UNSET}"\n`, [
    "f.yaml:4:8: trace.key: environment variable UNSET is not set, or empty: expected a value " +
    "for it, or a default as in ${env:UNSET:-default}",
  ]],
  ["half a character", `${STDOUT}trace:\n  key: "\\ud800"\n`, [
    "f.yaml:4:8: trace.key: half a character (a lone surrogate): expected Unicode",
  ]],
  ["a reference that is none", `${STDOUT}trace:\n  key: \${SECRET}\n`, [
    'f.yaml:4:8: trace.key: "${SECRET}" is not a reference: did you mean "${env:SECRET}"? expected ' +
    "${env:NAME}, ${env:NAME:-default}, or $$ for a dollar",
  ]],
  ["an unknown format", "exporters:\n  stdout: { format: xml }\n", [
    'f.yaml:2:21: exporters.stdout.format: found "xml": expected table, wide, csv or json',
  ]],
  ["an endpoint that is not a URL", "exporters:\n  otlp: { endpoint: nonsense }\n", [
    `f.yaml:2:21: exporters.otlp.endpoint: found "nonsense": ${URL_EXPECTED}`,
  ]],
  ["an endpoint with another scheme", "exporters:\n  otlp: { endpoint: 'ftp://h' }\n", [
    `f.yaml:2:21: exporters.otlp.endpoint: found "ftp://h": ${URL_EXPECTED}`,
  ]],
  ["an endpoint without a scheme", "exporters:\n  otlp: { endpoint: 'localhost:4318' }\n", [
    `f.yaml:2:21: exporters.otlp.endpoint: found "localhost:4318": ` +
    `did you mean "http://localhost:4318"? ${URL_EXPECTED}; host:port ` +
    "needs protocol: grpc",
  ]],
  [
    "an endpoint with the path of a signal",
    "exporters:\n  otlp: { endpoint: 'http://h/v1/traces' }\n",
    [
      'f.yaml:2:21: exporters.otlp.endpoint: found "http://h/v1/traces": expected the URL without ' +
      "/v1/traces, which is added; traces_endpoint takes a whole one",
    ],
  ],
  [
    "a traces_endpoint with its path twice",
    "exporters:\n  otlp: { traces_endpoint: 'http://h/v1/traces/v1/traces' }\n",
    [
      'f.yaml:2:28: exporters.otlp.traces_endpoint: found "http://h/v1/traces/v1/traces": expected ' +
      "/v1/traces once",
    ],
  ],
  [
    "an endpoint, without showing its password",
    "exporters:\n  otlp: { endpoint: 'https//user:hunter2@host' }\n",
    [`f.yaml:2:21: exporters.otlp.endpoint: found "***@host": ${URL_EXPECTED}`],
  ],
  ["an unknown protocol", "exporters:\n  otlp: { protocol: http }\n", [
    'f.yaml:2:21: exporters.otlp.protocol: found "http": did you mean "http/protobuf"? ' +
    "expected http/protobuf, http/json or grpc",
  ]],
  ["grpc with zstd", "exporters:\n  otlp: { protocol: grpc, compression: zstd }\n", [
    'f.yaml:2:40: exporters.otlp.compression: found "zstd": expected none or gzip, as grpc has ' +
    "no zstd",
  ]],
  ["a header, without showing it", "exporters:\n  otlp: { headers: { a: [hunter2] } }\n", [
    "f.yaml:2:25: exporters.otlp.headers.a: found a list: expected text",
  ]],
  ["a header with a line break", 'exporters:\n  otlp: { headers: { a: "hunter2\\n" } }\n', [
    "f.yaml:2:25: exporters.otlp.headers.a: found text: expected text without line breaks",
  ]],
  ["a header name with a space", "exporters:\n  otlp: { headers: { a b: c } }\n", [
    "f.yaml:2:22: exporters.otlp.headers.…: an invalid name: expected letters, digits " +
    "and hyphens",
  ]],
  [
    "a header whose colon has no space after it, without showing its value",
    "exporters:\n  otlp: { headers: { 'Authorization:Bearer hunter2': } }\n",
    [
      "f.yaml:2:22: exporters.otlp.headers.…: an invalid name: expected " +
      "letters, digits and hyphens",
    ],
  ],
  [
    "a token in place of a header's name",
    "exporters:\n  otlp: { headers: { aHVu/dGVyMg==: } }\n",
    [
      "f.yaml:2:22: exporters.otlp.headers.…: an invalid name: expected letters, digits and " +
      "hyphens",
    ],
  ],
  [
    "a header in curl's form, without showing its value",
    "exporters:\n  otlp: { headers: { x-key=hunter2: x } }\n",
    [
      "f.yaml:2:22: exporters.otlp.headers.…: an invalid name: expected letters, " +
      "digits and hyphens",
    ],
  ],
  ["a timeout without a unit", "exporters:\n  otlp: { timeout: 10 }\n", [
    'f.yaml:2:20: exporters.otlp.timeout: found 10: did you mean "10s"? expected a duration of ' +
    "at most 24 days, such " +
    "as 500ms, 30s or 1h30m",
  ]],
  ["a timeout of zero", "exporters:\n  otlp: { timeout: 0s }\n", [
    'f.yaml:2:20: exporters.otlp.timeout: found "0s": expected a duration above zero',
  ]],
  ["a timeout that no timer can wait", "exporters:\n  otlp: { timeout: 600h }\n", [
    'f.yaml:2:20: exporters.otlp.timeout: found "600h": expected a duration of at most 24 days, ' +
    "such as 500ms, 30s or 1h30m",
  ]],
  ["no queue", "exporters:\n  otlp:\n    sending_queue: { queue_size: 0 }\n", [
    "f.yaml:3:34: exporters.otlp.sending_queue.queue_size: found 0: expected a number of " +
    "sessions from 1 to 100000000",
  ]],
  ["a file without a path", "exporters:\n  file:\n", [
    "f.yaml:2:3: exporters.file.path: missing: expected the path of a file",
  ]],
  ["a file with an empty path", 'exporters:\n  file: { path: "" }\n', [
    'f.yaml:2:17: exporters.file.path: found "": expected the path of a file',
  ]],
  ["a rotation below zero", "exporters:\n  file:\n    path: x\n    rotation: { max_days: -1 }\n", [
    "f.yaml:4:27: exporters.file.rotation.max_days: found -1: expected a number of days from 0 " +
    "to 1000000",
  ]],
  ["a module without an export", "exporters:\n  zipkin:\n    module: npm:x@1.0.0\n", [
    "f.yaml:2:3: exporters.zipkin.export: missing: expected the name of the SpanExporter class " +
    "or the exporter type that the module exports",
  ]],
  ["the type module without a module", "exporters:\n  module/a: { export: X }\n", [
    "f.yaml:2:3: exporters.module/a.module: missing: expected a module such as " +
    "npm:@opentelemetry/exporter-zipkin@3.1.0 or ./exporter.ts",
  ]],
];

for (const [name, text, lines] of BAD) {
  Deno.test(`parseConfig() refuses ${name}`, () => assert.deepEqual(problems(text), lines));
}

Deno.test("parseConfig() reports all problems of a file at once, in order", () => {
  assert.deepEqual(
    problems(
      "trace: { parent: x, key: '${env:UNSET}' }\n" +
        "capture: { pids: [0, -1], pids: [] }\n" +
        "exporters:\n" +
        "  otlp: { endpoint: x, compression: zstd, protocol: grpc, timeout: 1, colour: red }\n" +
        "  file:\n" +
        "  nats:\n",
    ).map((line) => line.replace(/^f\.yaml:([\d:]+): ([^:]*): .*$/, "$1 $2")),
    [
      "1:18 trace.parent",
      "1:26 trace.key",
      "2:19 capture.pids[0]",
      "2:22 capture.pids[1]",
      "2:27 capture.pids",
      "4:21 exporters.otlp.endpoint",
      "4:37 exporters.otlp.compression",
      "4:68 exporters.otlp.timeout",
      "4:71 exporters.otlp.colour",
      "5:3 exporters.file.path",
      "6:3 exporters.nats",
    ],
  );
});

Deno.test("parseConfig() shows no variable's value that may be a secret", () => {
  const [line = ""] = problems("exporters:\n  otlp: { headers: '${env:SECRET}' }\n");
  assert.equal(
    line,
    "f.yaml:2:20: exporters.otlp.headers: found text from the environment: expected a mapping of header names to values",
  );
});

Deno.test("parseConfig() survives an alias bomb", () => {
  let text = `${STDOUT}resource:\n  attributes:\n    a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n`;
  for (let i = 1; i < 12; i++) {
    text += `    a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`)}]\n`;
  }
  assert.match(problems(text).join("\n"), /: more than 100000 values: expected fewer aliases$/m);
});

for (const text of ["[", "{a: ", "- ", "? ", "a: "]) {
  Deno.test(`parseConfig() survives ${JSON.stringify(text)} a great many times`, () => {
    assert.notEqual(problems(text.repeat(50_000)).length, 0);
  });
}

Deno.test("parseConfig() refuses what nests deeper than 64 levels", () => {
  const deep = `${"[".repeat(70)}${"]".repeat(70)}`;
  const [line = ""] = problems(
    `exporters:\n  x: { module: a, export: b, options: { a: ${deep} } }\n`,
  );
  assert.match(line, /^f\.yaml:2:\d+: .*: nested deeper than 64 levels: expected fewer$/);
});

Deno.test("parseConfig() refuses a text that is too large to be a config", () => {
  assert.deepEqual(problems("#".repeat(LARGEST_FILE + 1)), [
    `f.yaml: cannot read config: found more than ${LARGEST_FILE} bytes: expected a config file`,
  ]);
});

const context = { env: () => undefined, schemas };

Deno.test("loadConfig() reads a file", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, STDOUT);
    assert.equal((await loadConfig(file, context)).exporters[0]?.id, "stdout");
    await Deno.writeFile(file, new Uint8Array([0x61, 0xff, 0xfe]));
    await assert.rejects(
      loadConfig(file, context),
      new UsageError(`${file}:1:1: not a text file: expected YAML in UTF-8`),
    );
  } finally {
    await Deno.remove(file);
  }
});

const UNREADABLE: readonly [file: string, problem: string][] = [
  ["/nonexistent/tcpspan.yaml", "no such file"],
  ["/", "found a directory: expected a file"],
  ["/dev/zero", `found more than ${LARGEST_FILE} bytes: expected a config file`],
];

for (const [file, problem] of UNREADABLE) {
  Deno.test(`loadConfig() refuses ${file}`, async () => {
    await assert.rejects(
      loadConfig(file, context),
      new UsageError(`${file}: cannot read config: ${problem}`),
    );
  });
}

Deno.test("loadConfig() finds /dev/null empty", async () => {
  await assert.rejects(
    loadConfig("/dev/null", context),
    new UsageError(`/dev/null:1:1: ${EMPTY}`),
  );
});

Deno.test("parseConfig() gives a config or a UsageError for any text", () => {
  const word = fc.constantFrom(
    "exporters",
    "stdout",
    "otlp",
    "capture",
    "pids",
    "trace",
    "key",
    "__proto__",
    "constructor",
    "toString",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!set ",
    "!x ",
    "<<",
    "? ",
    "|\n",
    '"',
    "'",
    "#",
    ",",
    "${env:PORT}",
    "${",
    "$$",
    "0",
    "1e999",
    "~",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\t",
    "\u{1f600}",
    "\ud800",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.array(word, { maxLength: 40 }).map((words) => words.join("")),
    fc.array(word, { maxLength: 10 }).map((words) => `${STDOUT}${words.join("")}`),
  );
  fc.assert(fc.property(texts, (text) => void problems(text)), { numRuns: 2000 });
});

Deno.test("parseConfig() gives a config or a UsageError for any values", () => {
  const values = fc.record({
    capture: fc.anything(),
    trace: fc.record({ parent: fc.jsonValue(), key: fc.jsonValue() }),
    resource: fc.record({ attributes: fc.jsonValue() }),
    exporters: fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue())),
  }, { requiredKeys: [] });
  fc.assert(fc.property(values, (value) => void problems(JSON.stringify(value))));
});

Deno.test("every message about a config has a place", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 50 }), (text) => {
    for (const line of problems(text)) assert.match(line, /^f\.yaml:[1-9]\d*:[1-9]\d*: /);
  }));
});

const ms = duration();
const DURATIONS: readonly [text: string, ms: number][] = [
  ["0s", 0],
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5s", 1500],
  ["2m", 120_000],
  ["1h30m", 5_400_000],
  ["1h1m1s1ms", 3_661_001],
  ["596h", 596 * 3_600_000],
];

for (const [text, value] of DURATIONS) {
  Deno.test(`duration() reads ${text} as ${value} ms`, () => assert.equal(ms.parse(text), value));
}

for (
  const text of ["", "5", "5 s", "-5s", "s", "5d", "5S", "1.s", ".5s", "1e3s", "597h", 5, null]
) {
  Deno.test(`duration() refuses ${JSON.stringify(text)}`, () => {
    assert.deepEqual(
      ms.safeParse(text).error?.issues.map(({ message }) => message),
      ["a duration of at most 24 days, such as 500ms, 30s or 1h30m"],
    );
  });
}

Deno.test("duration() reads what is written in any unit", () => {
  const units = fc.constantFrom(["ms", 1], ["s", 1000], ["m", 60_000], ["h", 3_600_000] as const);
  fc.assert(fc.property(fc.nat(), units, (count, [unit, factor]) => {
    const value = count * Number(factor);
    fc.pre(value <= MAX_DURATION);
    assert.equal(ms.parse(`${count}${unit}`), value);
  }));
});

const SIZES: readonly [text: string, bytes: number][] = [
  ["0B", 0],
  ["4096B", 4096],
  ["256KiB", 262_144],
  ["16MiB", 16_777_216],
  ["1GiB", 1_073_741_824],
];

for (const [text, bytes] of SIZES) {
  Deno.test(`size() reads ${text} as ${bytes} bytes`, () =>
    assert.equal(size().parse(text), bytes));
}

for (
  const text of ["", "16", "16M", "16MB", "16mib", "1.5MiB", "-1MiB", "9".repeat(20) + "B", 16]
) {
  Deno.test(`size() refuses ${JSON.stringify(text)}`, () => {
    assert.deepEqual(
      size().safeParse(text).error?.issues.map(({ message }) => message),
      ["a size such as 256KiB or 16MiB"],
    );
  });
}

Deno.test("size() reads what is written in any unit", () => {
  const units = fc.constantFrom("B", "KiB", "MiB", "GiB");
  fc.assert(fc.property(fc.nat({ max: 2 ** 20 }), units, (count, unit) => {
    const power = ["B", "KiB", "MiB", "GiB"].indexOf(unit);
    assert.equal(size().parse(`${count}${unit}`), count * 1024 ** power);
  }));
});

Deno.test("nearest() finds misspellings and nothing else", () => {
  const keys = ["endpoint", "headers", "local_ports", "tls"];
  assert.equal(nearest("endpont", keys), "endpoint");
  assert.equal(nearest("ednpoint", keys), "endpoint");
  assert.equal(nearest("Headers", keys), "headers");
  assert.equal(nearest("local-ports", keys), "local_ports");
  assert.equal(nearest("tsl", keys), "tls");
  assert.equal(nearest("compression", keys), undefined);
  assert.equal(nearest("", keys), undefined);
  assert.equal(nearest("x".repeat(100_000), keys), undefined);
});

Deno.test("nearest() finds every word itself", () => {
  fc.assert(fc.property(fc.string(), (word) => assert.equal(nearest(word, [word]), word)));
});

const QUOTES: readonly [text: string, quoted: string][] = [
  ["plain", '"plain"'],
  ['a"b\n', '"a\\"b\\n"'],
  ["\x1b[2J\x9b", '"\\u001b[2J\\u009b"'],
  ["https://user:pass@host/x", '"https://***@host/x"'],
  ["https://user:p@ss@host/x", '"https://***@host/x"'],
  ["user:pass@host", '"***@host"'],
  ["https://host/x?token=1", '"https://host/x?***"'],
  ["x".repeat(81), `"${"x".repeat(80)}…"`],
];

for (const [text, quoted] of QUOTES) {
  Deno.test(`quote() shows ${JSON.stringify(text)} as ${quoted}`, () => {
    assert.equal(quote(text), quoted);
  });
}

Deno.test("parseConfig() needs only an exporter type's name and schema", () => {
  const nats = {
    type: "nats",
    summary: "",
    sendsSpans: false,
    loadSchema: () => assert.fail(),
    loadExample: () => assert.fail(),
    queue: () => assert.fail(),
    open: () => assert.fail(),
  };
  const schemas = new Map([[nats, z.strictObject({ subject: z.string() })]]);
  const parseNats = (text: string) =>
    parseConfig(text, { file: "f.yaml", env: () => undefined, schemas });
  assert.deepEqual(
    parseNats("exporters: { nats: { subject: a } }").exporters[0]?.settings,
    { subject: "a" },
  );
  assert.throws(
    () => parseNats("exporters: { nats: { subject: 1 } }"),
    new UsageError(
      'f.yaml:1:31: exporters.nats.subject: found 1: did you mean "1"? expected text',
    ),
  );
});

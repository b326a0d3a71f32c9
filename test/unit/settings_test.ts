import assert from "node:assert/strict";
import fc from "fast-check";
import { exporterTypes } from "../../exporters/registry.ts";
import { parseArguments } from "../../src/command_line/parse.ts";
import { loadSchemas, parseConfig } from "../../src/config/load.ts";
import { parseResourceAttributes } from "../../src/run/resource_attributes.ts";
import { UsageError } from "../../src/messages/errors.ts";
import type { RunFlags } from "../../src/run/flags.ts";
import { configFile, effectiveSettings, type RunSettings } from "../../src/run/settings.ts";

const schemas = await loadSchemas(exporterTypes);

type Variables = Readonly<Record<string, string>>;

function flagsOf(args: string): RunFlags {
  const flags = parseArguments(args === "" ? [] : args.split(" "));
  assert(flags.command === "run");
  return flags;
}

/** Settings of a run with these flags, this config and these variables. */
function settings(args: string, config?: string, variables: Variables = {}): RunSettings {
  const env = (name: string) => variables[name];
  const parsed = config === undefined
    ? undefined
    : parseConfig(config, { file: "f.yaml", env, schemas });
  return effectiveSettings(flagsOf(args), parsed, { env, exporterTypes });
}

function ids({ exporters }: RunSettings): string[] {
  return exporters.map(({ id }) => id);
}

const TABLE = { format: "table", time: false, timestamp: false };

Deno.test("effectiveSettings() without flags, config and variables is a table of all sessions", () => {
  const { exporters, ...rest } = settings("");
  assert.deepEqual(rest, {
    capture: {
      pids: [],
      localPorts: [],
      remotePorts: [],
      families: ["ipv4", "ipv6"],
      includeCidrs: [],
      excludeCidrs: [],
      excludeExecutables: [],
      excludeCgroups: [],
      minBytes: 0,
      minDuration: 0,
      maxSessionsPerSecond: 0,
      sampling: undefined,
      ringBuffer: 16 * 2 ** 20,
      existing: true,
      interim: undefined,
      reportOpenOnExit: false,
      ownTraffic: false,
      pin: undefined,
    },
    resource: { attributes: {}, commandLine: false, fromProcessEnv: false },
    trace: { parent: "auto", peers: [], key: "" },
    shutdownTimeout: 5000,
    dropPrivileges: false,
    telemetry: undefined,
    warnings: [],
  });
  assert.deepEqual(exporters.map(({ id, type, settings }) => [id, type.type, settings]), [
    ["stdout", "stdout", TABLE],
  ]);
});

Deno.test("effectiveSettings() gives the same without a config as with an empty one", () => {
  assert.deepEqual(settings(""), settings("", "exporters: { stdout: }"));
  assert.deepEqual(
    settings("", undefined, { OTEL_TRACES_EXPORTER: "otlp" }),
    settings("", "exporters: { otlp: }"),
  );
});

Deno.test("effectiveSettings() finds the exporter whose receiver gets metrics", () => {
  const exporters = "exporters: { stdout: , otlp/a: , file: { path: x } }";
  const { telemetry } = settings("", `${exporters}\ntelemetry: { otlp: { interval: 2s } }`);
  assert.equal(telemetry?.otlp?.exporter.id, "otlp/a");
  assert.equal(telemetry?.otlp?.interval, 2000);
  assert.equal(telemetry?.prometheus, undefined);
  const two = "exporters: { otlp/a: , otlp/b: }\ntelemetry: { otlp: { exporter: otlp/b } }";
  assert.equal(settings("", two).telemetry?.otlp?.exporter.id, "otlp/b");
});

Deno.test("effectiveSettings() has telemetry only if the config has it", () => {
  assert.equal(settings("", "exporters: { otlp: }").telemetry, undefined);
  assert.equal(settings("", "exporters: { otlp: }\ntelemetry:").telemetry, undefined);
  assert.deepEqual(settings("", "exporters: { stdout: }\ntelemetry: { prometheus: }").telemetry, {
    otlp: undefined,
    prometheus: { host: "127.0.0.1", port: 9464 },
  });
});

Deno.test("effectiveSettings() switches telemetry off if OTEL_SDK_DISABLED is true", () => {
  const config = "exporters: { stdout: }\ntelemetry: { prometheus: }";
  const { telemetry, warnings } = settings("", config, { OTEL_SDK_DISABLED: "true" });
  assert.equal(telemetry, undefined);
  assert.deepEqual(warnings, ["OTEL_SDK_DISABLED is true: telemetry is off"]);
});

Deno.test("effectiveSettings() takes everything from the config", () => {
  const { capture, resource, trace, shutdownTimeout } = settings(
    "",
    `
capture:
  pids: [1]
  local_ports: [2]
  remote_ports: [3]
  families: [ipv6]
  include_cidrs: [10.0.0.0/8]
  exclude_cidrs: [10.1.0.0/16]
  exclude_executables: [sshd]
  exclude_cgroups: [/a]
  min_bytes: 1KiB
  min_duration: 2s
  max_sessions_per_second: 3
  ring_buffer: 1MiB
  existing: false
  interim: 30s
  report_open_on_exit: true
  own_traffic: true
  pin: /sys/fs/bpf/a
sampling: { ratio: 0.5, keep_errors: true }
resource:
  attributes: { a: [b] }
  command_line: true
  from_process_env: true
trace: { parent: always, peers: ["::1"], key: k }
shutdown_timeout: 1m
exporters: { stdout: }
`,
  );
  assert.deepEqual({ capture, resource, trace, shutdownTimeout }, {
    capture: {
      pids: [1],
      localPorts: [2],
      remotePorts: [3],
      families: ["ipv6"],
      includeCidrs: ["10.0.0.0/8"],
      excludeCidrs: ["10.1.0.0/16"],
      excludeExecutables: ["sshd"],
      excludeCgroups: ["/a"],
      minBytes: 1024,
      minDuration: 2000,
      maxSessionsPerSecond: 3,
      sampling: { ratio: 0.5, keepErrors: true, key: "k" }, // decided by the ids of the spans
      ringBuffer: 2 ** 20,
      existing: false,
      interim: 30_000,
      reportOpenOnExit: true,
      ownTraffic: true,
      pin: "/sys/fs/bpf/a",
    },
    resource: { attributes: { a: ["b"] }, commandLine: true, fromProcessEnv: true },
    trace: { parent: "always", peers: ["::1"], key: "k" },
    shutdownTimeout: 60_000,
  });
});

const STDOUT = "exporters: { stdout: }\n";
const CAPTURE = `${STDOUT}capture: { pids: [1], local_ports: [2], remote_ports: [3], ` +
  "families: [ipv6] }\n";

const OVERRIDES: readonly [args: string, key: keyof RunSettings["capture"], value: unknown][] = [
  ["-p 7,8", "pids", [7, 8]],
  ["-L 7", "localPorts", [7]],
  ["-D 7", "remotePorts", [7]],
  ["-4", "families", ["ipv4"]],
];

for (const [args, key, value] of OVERRIDES) {
  Deno.test(`effectiveSettings() lets ${args} win over the config, and over nothing else`, () => {
    const plain = settings("", CAPTURE).capture;
    assert.deepEqual(settings(args, CAPTURE).capture, { ...plain, [key]: value });
  });
}

const FORMATS: readonly [args: string, config: string | undefined, settings: unknown][] = [
  ["-T", undefined, { ...TABLE, time: true }],
  ["-wt", undefined, { ...TABLE, format: "wide", timestamp: true }],
  ["-s", STDOUT, { ...TABLE, format: "csv" }],
  ["", "exporters: { stdout: { format: wide, time: true } }", {
    ...TABLE,
    format: "wide",
    time: true,
  }],
  ["-s", "exporters: { stdout: { format: wide, time: true } }", {
    ...TABLE,
    format: "csv",
    time: true,
  }],
];

for (const [args, config, expected] of FORMATS) {
  const where = config === undefined ? "without a config" : `with ${config.trim()}`;
  Deno.test(`effectiveSettings() applies "${args}" over stdout's settings ${where}`, () => {
    assert.deepEqual(settings(args, config).exporters[0]?.settings, expected);
  });
}

Deno.test("effectiveSettings() applies format flags to each stdout exporter and to no other", () => {
  const config = "exporters: { stdout/a: , stdout/b: , otlp: }";
  const plain = settings("", config).exporters;
  const { exporters } = settings("-s", config);
  assert.deepEqual(exporters[0]?.settings, { ...TABLE, format: "csv" });
  assert.deepEqual(exporters[1]?.settings, { ...TABLE, format: "csv" });
  assert.deepEqual(exporters[2], plain[2]);
});

for (const [args, flags] of [["-T", "-T"], ["-Ttw", "-T -t -w"], ["-s", "-s"]] as const) {
  Deno.test(`effectiveSettings() refuses ${args} with a config that has no stdout exporter`, () => {
    assert.throws(
      () => settings(args, "exporters: { otlp: }"),
      new UsageError(
        `cannot use ${flags}: found no stdout exporter: expected one, whose format these flags set`,
      ),
    );
  });
}

Deno.test("effectiveSettings() refuses -T with OTEL_TRACES_EXPORTER=otlp", () => {
  assert.throws(() => settings("-T", undefined, { OTEL_TRACES_EXPORTER: "otlp" }), UsageError);
});

for (const name of ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]) {
  Deno.test(`effectiveSettings() refuses -w with ${name}, and says how to have both`, () => {
    const variables = { [name]: "http://h:4318" };
    assert.throws(
      () => settings("-w", undefined, variables),
      new UsageError(
        `cannot use -w: found no stdout exporter, as ${name} selects another: ` +
          "set OTEL_TRACES_EXPORTER=console,otlp",
      ),
    );
    const both = settings("-w", undefined, { ...variables, OTEL_TRACES_EXPORTER: "console,otlp" });
    assert.deepEqual(ids(both), ["stdout", "otlp"]);
    assert.throws(() => settings("-w", "exporters: { otlp: }", variables), {
      message: /found no stdout exporter: expected one,/,
    });
  });
}

const SELECTED: readonly [value: string, ids: readonly string[]][] = [
  ["", ["stdout"]],
  ["otlp", ["otlp"]],
  ["console", ["stdout"]],
  ["otlp,console", ["otlp", "stdout"]],
  [" OTLP , console ,", ["otlp", "stdout"]],
  ["otlp,otlp", ["otlp"]],
  ["none", []],
];

for (const [value, expected] of SELECTED) {
  Deno.test(`effectiveSettings() selects ${expected} for OTEL_TRACES_EXPORTER="${value}"`, () => {
    assert.deepEqual(ids(settings("", undefined, { OTEL_TRACES_EXPORTER: value })), expected);
  });
}

for (const [value, found] of [["jaeger", "jaeger"], ["otlp,x", "x"], ["none,otlp", "none,otlp"]]) {
  Deno.test(`effectiveSettings() refuses OTEL_TRACES_EXPORTER=${value}`, () => {
    assert.throws(
      () => settings("", undefined, { OTEL_TRACES_EXPORTER: value ?? "" }),
      new UsageError(
        `cannot use OTEL_TRACES_EXPORTER: found "${found}": expected otlp, console, or none alone`,
      ),
    );
  });
}

Deno.test("effectiveSettings() selects otlp for an endpoint of OTLP alone, as SDKs do", () => {
  const endpoint = "http://localhost:4318";
  const rows: readonly [variables: Variables, ids: readonly string[]][] = [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }, ["otlp"]],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint }, ["otlp"]],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: "console" }, ["stdout"]],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: "none" }, []],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: " " }, ["otlp"]],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: " " }, ["stdout"]],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint }, ["stdout"]],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, ["stdout"]],
  ];
  for (const [variables, expected] of rows) {
    assert.deepEqual(ids(settings("", undefined, variables)), expected, JSON.stringify(variables));
    assert.deepEqual(ids(settings("", STDOUT, variables)), ["stdout"], "a config wins");
  }
  assert.throws(
    () => settings("-T", undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }),
    UsageError,
  );
});

Deno.test("effectiveSettings() warns that OTEL_TRACES_EXPORTER=none loses everything", () => {
  assert.deepEqual(settings("", undefined, { OTEL_TRACES_EXPORTER: "none" }).warnings, [
    "OTEL_TRACES_EXPORTER is none: sessions are traced and go nowhere",
  ]);
});

Deno.test("effectiveSettings() ignores OTEL_TRACES_EXPORTER with a config", () => {
  assert.deepEqual(ids(settings("", STDOUT, { OTEL_TRACES_EXPORTER: "junk" })), ["stdout"]);
});

const MIXED = "exporters: { stdout: , otlp/a: , file: { path: x }, z: { module: m, export: E } }";

for (const value of ["true", "TRUE", " true "]) {
  Deno.test(`effectiveSettings() drops what sends spans for OTEL_SDK_DISABLED="${value}"`, () => {
    const run = settings("", MIXED, { OTEL_SDK_DISABLED: value });
    const kept = run.exporters.filter(({ type }) => type.sendsSpans);
    assert.deepEqual(kept, []);
    assert.equal(ids(run)[0], "stdout");
    assert.match(
      run.warnings.join("\n"),
      /^OTEL_SDK_DISABLED is true: these exporters are off: otlp\/a, (file, )?z$/,
    );
  });
}

for (const value of ["false", "1", "yes", ""]) {
  Deno.test(`effectiveSettings() drops nothing for OTEL_SDK_DISABLED="${value}"`, () => {
    const run = settings("", MIXED, { OTEL_SDK_DISABLED: value });
    assert.deepEqual(ids(run), ["stdout", "otlp/a", "file", "z"]);
    assert.deepEqual(run.warnings, []);
  });
}

Deno.test("effectiveSettings() has no warning about OTEL_SDK_DISABLED when it drops nothing", () => {
  assert.deepEqual(settings("", undefined, { OTEL_SDK_DISABLED: "true" }).warnings, []);
});

const BECOMES_ONE = "a service map then has one node for all of them";

const ATTRIBUTES: readonly [
  name: string,
  config: string | undefined,
  variables: Variables,
  attributes: unknown,
  warnings: readonly string[],
][] = [
  [
    "OTEL_RESOURCE_ATTRIBUTES",
    undefined,
    {
      OTEL_RESOURCE_ATTRIBUTES: "a=1, b.c = x%2Cy%3D ,",
    },
    { a: "1", "b.c": "x,y=" },
    [],
  ],
  [
    "the config over OTEL_RESOURCE_ATTRIBUTES",
    `${STDOUT}resource: { attributes: { a: 2 } }`,
    {
      OTEL_RESOURCE_ATTRIBUTES: "a=1,b=1",
    },
    { a: 2, b: "1" },
    [],
  ],
  ["OTEL_SERVICE_NAME, with a warning", undefined, { OTEL_SERVICE_NAME: "shop" }, {
    "service.name": "shop",
  }, [`OTEL_SERVICE_NAME names every process's spans "shop": ${BECOMES_ONE}`]],
  [
    "OTEL_SERVICE_NAME over OTEL_RESOURCE_ATTRIBUTES",
    undefined,
    {
      OTEL_SERVICE_NAME: "shop",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other",
    },
    { "service.name": "shop" },
    [
      `OTEL_SERVICE_NAME names every process's spans "shop": ${BECOMES_ONE}`,
    ],
  ],
  [
    "service.name of OTEL_RESOURCE_ATTRIBUTES, with a warning",
    undefined,
    {
      OTEL_RESOURCE_ATTRIBUTES: "service.name=other",
    },
    { "service.name": "other" },
    [
      `OTEL_RESOURCE_ATTRIBUTES names every process's spans "other": ${BECOMES_ONE}`,
    ],
  ],
  [
    "the config's service.name over all, without a warning",
    `${STDOUT}resource: { attributes: { service.name: mine } }`,
    { OTEL_SERVICE_NAME: "shop" },
    { "service.name": "mine" },
    [],
  ],
  [
    "nothing from empty variables",
    undefined,
    {
      OTEL_SERVICE_NAME: "",
      OTEL_RESOURCE_ATTRIBUTES: " ",
    },
    {},
    [],
  ],
  [
    "nothing from a malformed OTEL_RESOURCE_ATTRIBUTES",
    undefined,
    {
      OTEL_RESOURCE_ATTRIBUTES: "a=1,b",
    },
    {},
    [
      "ignoring OTEL_RESOURCE_ATTRIBUTES: found text that is not key=value,key=value: expected " +
      "commas, equals and percent signs within them as %2C, %3D and %25",
    ],
  ],
];

for (const [name, config, variables, attributes, warnings] of ATTRIBUTES) {
  Deno.test(`effectiveSettings() takes as resource attributes ${name}`, () => {
    const run = settings("", config, variables);
    assert.deepEqual(run.resource.attributes, attributes);
    assert.deepEqual(run.warnings, warnings);
  });
}

for (const text of ["a", "=b", "a=b=c", "a=%zz", "a=1,,=2", "%"]) {
  Deno.test(`parseResourceAttributes() refuses ${text}`, () => {
    assert.equal(parseResourceAttributes(text), undefined);
  });
}

Deno.test("parseResourceAttributes() reads what was percent-encoded", () => {
  const name = fc.string({ minLength: 1 }).filter((text) => text !== "__proto__");
  const attributes = fc.dictionary(name, fc.string(), { noNullPrototype: true });
  fc.assert(fc.property(attributes, (entries) => {
    const text = Object.entries(entries).map((pair) => pair.map(encodeURIComponent).join("="));
    assert.deepEqual(parseResourceAttributes(text.join()), entries);
  }));
});

const FILES: readonly [args: string, variables: Variables, file: string | undefined][] = [
  ["", {}, undefined],
  ["", { TCPSPAN_CONFIG: "" }, undefined],
  ["", { TCPSPAN_CONFIG: "env.yaml" }, "env.yaml"],
  ["-c flag.yaml", { TCPSPAN_CONFIG: "env.yaml" }, "flag.yaml"],
];

for (const [args, variables, file] of FILES) {
  Deno.test(`configFile() is ${file} for "${args}" and ${JSON.stringify(variables)}`, () => {
    assert.equal(configFile(flagsOf(args), (name) => variables[name]), file);
  });
}

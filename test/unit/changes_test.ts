import assert from "node:assert/strict";
import { exporterTypes } from "../../exporters/registry.ts";
import { loadSchemas, parseConfig } from "../../src/config/load.ts";
import { NO_FLAGS } from "../../src/run/flags.ts";
import { compareSettings, describeChanges, keepFixed } from "../../src/run/changes.ts";
import { effectiveSettings, type RunSettings } from "../../src/run/settings.ts";

const schemas = await loadSchemas(exporterTypes);

function settings(config: string): RunSettings {
  const env = () => undefined;
  const parsed = parseConfig(config, { file: "f.yaml", env, schemas });
  return effectiveSettings(NO_FLAGS, parsed, { env, exporterTypes });
}

const EXPORTERS = "exporters: { stdout: , otlp/a: { endpoint: 'http://a' }, file: { path: f } }\n";

interface Case {
  readonly name: string;
  /** The config that follows `EXPORTERS`. */
  readonly next: string;
  /** What the message to the user says. */
  readonly told: string;
  /** Whether what makes spans changes; no, by default. */
  readonly spans?: boolean;
  /** Whether telemetry is reopened; no, by default. */
  readonly telemetry?: boolean;
  /** Exporters whose certificates were renewed; none, by default. */
  readonly stale?: readonly string[];
  /** Whether telemetry's certificates were renewed; no, by default. */
  readonly staleTelemetry?: boolean;
}

const CASES: readonly Case[] = [
  { name: "the same text", next: EXPORTERS, told: "capture unchanged" },
  {
    name: "the same text, and another certificate",
    next: EXPORTERS,
    stale: ["otlp/a"],
    told: "otlp/a reopened, capture unchanged",
  },
  {
    name: "the defaults written out, in another order",
    next: "exporters: { file: { path: f, append: true }, stdout: { format: table }, " +
      "otlp/a: { retry_on_failure: { enabled: true }, endpoint: 'http://a' } }\n" +
      "trace: { parent: auto }\ncapture: { existing: true }\nshutdown_timeout: 5000ms\n",
    told: "capture unchanged",
  },
  {
    name: "an added exporter",
    next: EXPORTERS.replace(" }\n", ", otlp/b: }\n"),
    told: "otlp/b added, capture unchanged",
  },
  {
    name: "a removed exporter",
    next: "exporters: { stdout: , otlp/a: { endpoint: 'http://a' } }\n",
    told: "file removed, capture unchanged",
  },
  {
    name: "another endpoint, and a path",
    next: EXPORTERS.replace("http://a", "http://b").replace("path: f", "path: g"),
    told: "otlp/a changed, file changed, capture unchanged",
  },
  {
    name: "another type under the same id",
    next: EXPORTERS.replace("{ endpoint: 'http://a' }", "{ module: m, export: E }"),
    told: "otlp/a changed, capture unchanged",
  },
  {
    name: "another capture",
    next: `${EXPORTERS}capture: { local_ports: [1] }`,
    told: "capture changed",
  },
  {
    name: "another sampling, which changes the capture and the spans",
    next: `${EXPORTERS}sampling: { ratio: 0.5 }`,
    told: "otlp/a reopened, capture changed",
    spans: true,
  },
  {
    name: "another resource: what makes spans is reopened",
    next: `${EXPORTERS}resource: { attributes: { a: 1 } }`,
    told: "otlp/a reopened, resource changed, capture unchanged",
    spans: true,
  },
  {
    name: "another trace, and an exporter",
    next: `${EXPORTERS.replace("http://a", "http://b")}trace: { parent: never }`,
    told: "otlp/a changed, trace changed, capture unchanged",
    spans: true,
  },
  {
    name: "another shutdown_timeout",
    next: `${EXPORTERS}shutdown_timeout: 1m`,
    told: "shutdown_timeout changed, capture unchanged",
  },
];

const TELEMETRY = "telemetry: { otlp: , prometheus: }\n";

const WITH_TELEMETRY: readonly Case[] = [
  { name: "the same telemetry", next: EXPORTERS + TELEMETRY, told: "capture unchanged" },
  {
    name: "another certificate, only for spans",
    next: EXPORTERS + TELEMETRY,
    stale: ["otlp/a"],
    told: "otlp/a reopened, capture unchanged",
  },
  {
    name: "another certificate, only for metrics",
    next: EXPORTERS + TELEMETRY,
    staleTelemetry: true,
    told: "telemetry reopened, capture unchanged",
    telemetry: true,
  },
  {
    name: "removed telemetry",
    next: EXPORTERS,
    told: "telemetry changed, capture unchanged",
    telemetry: true,
  },
  {
    name: "another interval",
    next: `${EXPORTERS}telemetry: { otlp: { interval: 5s }, prometheus: }`,
    told: "telemetry changed, capture unchanged",
    telemetry: true,
  },
  {
    name: "another endpoint of the exporter whose receiver gets metrics",
    next: EXPORTERS.replace("http://a", "http://b") + TELEMETRY,
    told: "otlp/a changed, telemetry changed, capture unchanged",
    telemetry: true,
  },
  {
    name: "another resource, which metrics have too",
    next: `${EXPORTERS}${TELEMETRY}resource: { attributes: { a: 1 } }`,
    told: "otlp/a reopened, telemetry reopened, resource changed, capture unchanged",
    spans: true,
    telemetry: true,
  },
];

const ALL: readonly [from: string, cases: readonly Case[]][] = [
  [EXPORTERS, [...CASES, {
    name: "added telemetry",
    next: EXPORTERS + TELEMETRY,
    told: "telemetry changed, capture unchanged",
    telemetry: true,
  }]],
  [EXPORTERS + TELEMETRY, WITH_TELEMETRY],
];

for (
  const {
    from,
    name,
    next,
    told,
    spans = false,
    telemetry = false,
    stale = [],
    staleTelemetry = false,
  } of ALL.flatMap(
    ([from, cases]) => cases.map((one) => ({ from, ...one })),
  )
) {
  Deno.test(`compareSettings() of ${name}: ${told}`, () => {
    const old = settings(from);
    const running = old.exporters.map((configured) => ({
      configured,
      usesSpans: configured.id === "otlp/a", // really file does, too
    }));
    const changes = compareSettings(old, running, settings(next), {
      exporters: new Set(stale),
      telemetry: staleTelemetry,
    });
    assert.equal(describeChanges(changes), told);
    assert.equal(changes.spans, spans);
    assert.equal(changes.telemetry, telemetry);
  });
}

const FIXED: readonly [config: string, keys: readonly string[]][] = [
  ["", []],
  ["drop_privileges: true", ["drop_privileges"]],
  ["capture: { pin: /sys/fs/bpf/x }", ["capture.pin"]],
  ["capture: { local_ports: [1] }\nshutdown_timeout: 1m", []],
];

for (const [config, keys] of FIXED) {
  Deno.test(`keepFixed() of ${JSON.stringify(config)}: ${keys.join(", ") || "nothing"}`, () => {
    const old = settings(EXPORTERS);
    const next = settings(EXPORTERS + config);
    const { settings: kept, fixed } = keepFixed(old, next);
    assert.deepEqual(fixed, keys);
    assert.deepEqual(keepFixed(old, kept).fixed, [], "what cannot change is as it was");
    if (keys.length === 0) assert.deepEqual(kept, next);
    else assert.deepEqual(kept, old);
  });
}

Deno.test("keepFixed() after drop_privileges: the capture cannot change, and the rest can", () => {
  const old = settings(`${EXPORTERS}drop_privileges: true`);
  const next = settings(
    `${EXPORTERS}drop_privileges: true\nsampling: { ratio: 0.5 }\nshutdown_timeout: 1m`,
  );
  const { settings: kept, fixed } = keepFixed(old, next);
  assert.deepEqual(fixed, ["capture and sampling (because of drop_privileges)"]);
  assert.deepEqual(kept, { ...next, capture: old.capture });
});

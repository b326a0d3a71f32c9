/** Spans and deliveries of programs that import tcpspan, to a receiver that listens. */
import assert from "node:assert/strict";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import {
  batchOf,
  type Exporter,
  type ExporterType,
  type ExportOutcome,
  openExporter,
  openSpans,
  otlpExporter,
  sessionOf,
  type SpanResource,
  UsageError,
} from "../../mod.ts";
import { BatchView } from "../../src/library/batch.ts";
import { SessionView } from "../../src/library/view.ts";
import { freePort } from "../e2e/nginx.ts";
import { startReceiver } from "../e2e/receiver.ts";
import { makeSpanMapper } from "../exporter_context.ts";
import { makeBatch } from "../fixtures.ts";
import { unusedPort } from "../raw_server.ts";
import { makeTempFolder } from "../temp_folder.ts";

Deno.test("spans, ids and resources are those that the program exports", async () => {
  const spans = await openSpans({ key: "test", parent: "always", attributes: { "a.b": [1, 2] } });
  const mapper = makeSpanMapper();
  for (const session of new BatchView(makeBatch({}, { role: 2 }, { last_state: "syn_sent" }))) {
    const span = spans.toSpan(session);
    const other = mapper.toSpan(SessionView.recordOf(session));
    assert.deepEqual(span.spanContext(), other.spanContext());
    assert.deepEqual(span.attributes, other.attributes);
    assert.deepEqual(spans.idsOf(session), {
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      ...(session.role === "active" ? {} : { parentSpanId: span.parentSpanContext?.spanId }),
    });
    assert.equal(spans.resourceOf(session), span.resource);
    assert.deepEqual(span.resource.attributes["a.b"], [1, 2]);
    // OpenTelemetry's exporters take it, as far as types say
    const readable: ReadableSpan = span;
    const resource: SpanResource = readable.resource;
    assert.equal(resource.merge(null).attributes["a.b"], span.resource.attributes["a.b"]);
  }
});

Deno.test("spans of what is not a session are an error that says what to do", async () => {
  const spans = await openSpans();
  const { pid, comm } = sessionOf();
  for (const session of [{ pid, comm }, sessionOf().toObject(), null]) {
    assert.throws(() => spans.idsOf(session as never), /^TypeError: .*sessionOf\(\)/);
  }
});

Deno.test("sampled sessions say how many they stand for", async () => {
  const spans = await openSpans({ sampling: { ratio: 0.25 } });
  const { traceState } = spans.toSpan(sessionOf()).spanContext();
  assert.equal(traceState?.serialize(), "ot=th:c");
});

Deno.test("otlpExporter behind a queue delivers what is pushed, with the ids of the spans", async () => {
  await using receiver = startReceiver(freePort());
  const spans = await openSpans({ key: "site" });
  const pushed = batchOf([{ comm: "curl", peerPort: 443 }, {
    comm: "psql",
    initialSequenceNumbers: { local: 1, peer: 2 },
  }]);
  const ids = Array.from(pushed, (session) => spans.idsOf(session));
  const queue = await openExporter(
    otlpExporter,
    { endpoint: `http://127.0.0.1:${receiver.port}`, protocol: "http/json", headers: { a: "b" } },
    { spans },
  );
  queue.push(pushed);
  pushed[Symbol.dispose](); // the queue has a copy
  await queue.close();
  assert.deepEqual(
    receiver.spans.map(({ traceId, spanId }) => ({ traceId, spanId })),
    ids,
  );
  assert.equal(receiver.headers[0]?.get("a"), "b");
  assert.equal(queue.counters.exported, 2);
  assert.throws(() => queue.push(batchOf([{}])), /^TypeError: .*closed/);
});

Deno.test("settings of the otlp exporter that are wrong are a UsageError with each of them", async () => {
  const settings = {
    endpoint: "nowhere",
    protocol: "http",
    time_out: "1s",
    tls: { ca: "", key: "" },
  };
  await assert.rejects(openExporter(otlpExporter, settings as never), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^cannot open otlp: .*endpoint: expected an http/);
    assert.match(error.message, /protocol: expected http\/protobuf, http\/json or grpc/);
    assert.match(error.message, /; time_out: unknown key: [^;]*did you mean "timeout"\?/);
    assert.match(error.message, /; tls\.ca: unknown key: [^;]*; tls\.key: unknown key: /);
    return true;
  });
});

Deno.test("the otlp exporter takes no keys of a queue: those are among the options", async () => {
  const settings = { sending_queue: {}, retry_on_failure: {} };
  await assert.rejects(openExporter(otlpExporter, settings as never), (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(
      error.message,
      "cannot open otlp: sending_queue: expected the option queue of openExporter() instead; " +
        "retry_on_failure: expected the option queue of openExporter() instead",
    );
    return true;
  });
  await using _queue = await openExporter(otlpExporter, null as never); // as `otlp:` in a config
});

/** An exporter type whose exports answer with `outcomes`, one after the other. */
function makeType(outcomes: ExportOutcome[]): { type: ExporterType<number>; seen: string[] } {
  const seen: string[] = [];
  const exporter: Exporter = {
    start: () => {
      seen.push("start");
    },
    export(batch) {
      seen.push(Array.from(batch, ({ comm }) => comm).join());
      return outcomes.shift() ?? { status: "success" };
    },
    shutdown: () => {
      seen.push("shutdown");
    },
  };
  return { type: { type: "mine", open: () => exporter }, seen };
}

Deno.test("an exporter of your own is tried again, and what it refuses is counted", async () => {
  const { type, seen } = makeType([
    { status: "retryable", reason: "busy" },
    { status: "success", rejected: 1, message: "too old" },
    { status: "failure", reason: "gone" },
  ]);
  const warnings: string[] = [];
  const retry = { initialInterval: 1, maxInterval: 1, maxElapsedTime: 0 };
  const queue = await openExporter(type, 1, {
    id: "mine/1",
    queue: { retry, linger: 0, batchSize: 2 },
    warn: (message) => warnings.push(message),
  });
  queue.push(batchOf([{ comm: "a" }, { comm: "b" }, { comm: "c" }]));
  while (queue.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await queue.close();
  assert.deepEqual(seen, ["start", "a,b", "a,b", "c", "shutdown"]);
  const { accepted, exported, rejected, failed, retries } = queue.counters;
  assert.deepEqual(
    { accepted, exported, rejected, failed, retries },
    { accepted: 3, exported: 1, rejected: 1, failed: 2, retries: 1 },
  );
  assert.match(warnings[0] ?? "", /^mine\/1: busy; trying again/);
});

Deno.test("an exporter starts before it gets what an earlier run left on disk", async () => {
  await using folder = await makeTempFolder();
  const storage = { folder: folder.path, persistent: true, maxBytes: 2 ** 20 };
  const retry = { initialInterval: 60_000, maxInterval: 60_000, maxElapsedTime: 0 };
  const options = { queue: { storage, retry, linger: 0 }, warn: () => {} };
  const busy = makeType([{ status: "retryable", reason: "busy" }]);
  const first = await openExporter(busy.type, 1, options);
  first.push(batchOf([{ comm: "kept" }]));
  await first.close();
  const { type, seen } = makeType([]);
  await (await openExporter(type, 1, options)).close();
  assert.deepEqual(seen, ["start", "kept", "shutdown"]);
});

Deno.test("an exporter that cannot start is shut down, and leaves no queue behind", async () => {
  await using folder = await makeTempFolder();
  const storage = { folder: folder.path, persistent: true, maxBytes: 2 ** 20 };
  const seen: string[] = [];
  const type: ExporterType<number> = {
    type: "mine",
    open: () => ({
      start: () => Promise.reject(new Error("no token")),
      export: () => ({ status: "success" }),
      shutdown: () => {
        seen.push("shutdown");
      },
    }),
  };
  for (let tries = 1; tries <= 2; tries++) { // a second one finds the folder free
    await assert.rejects(openExporter(type, 1, { queue: { storage } }), {
      message: "cannot start mine: no token",
    });
    assert.equal(seen.length, tries);
  }
});

Deno.test("a queue with a place on disk keeps what was not delivered for the next one", async () => {
  await using folder = await makeTempFolder();
  const dead = { endpoint: `http://127.0.0.1:${unusedPort()}` };
  const queue = { storage: { folder: folder.path, persistent: true, maxBytes: 2 ** 20 } };
  const first = await openExporter(otlpExporter, dead, { queue, warn: () => {} });
  first.push(batchOf([{ comm: "kept" }]));
  await first.close(1000);
  await using receiver = startReceiver(freePort());
  const live = { endpoint: `http://127.0.0.1:${receiver.port}` };
  const second = await openExporter(otlpExporter, live, { queue, warn: () => {} });
  await second.close();
  assert.equal(second.counters.restored, 1);
  assert.equal(receiver.spans.length, 1);
});

Deno.test("an undefined setting of a queue has its default", async () => {
  const { type } = makeType([]);
  const queue = await openExporter(type, 1, { queue: { batchSize: undefined } as never });
  queue.push(batchOf([{}]));
  await queue.close();
  assert.equal(queue.counters.exported, 1);
});

Deno.test("an exporter that cannot start is shut down", async () => {
  const { type, seen } = makeType([]);
  const cannot: ExporterType<number> = {
    type: "cannot",
    open: async (settings, context) => ({
      ...await type.open(settings, context),
      start: () => Promise.reject(new Error("no server")),
    }),
  };
  await assert.rejects(openExporter(cannot, 1), /^HostError: cannot start cannot: no server$/);
  assert.deepEqual(seen, ["shutdown"]);
});

Deno.test("spans that an exporter opens late know this host by what is pushed from then on", async () => {
  const parents: boolean[] = [];
  const late: ExporterType<number> = {
    type: "late",
    open: (_settings, { openSpans }) => ({
      async export(batch) {
        const spans = await openSpans();
        for (const session of batch) {
          if (session.role !== "passive") continue;
          parents.push(spans.idsOf(session).parentSpanId !== undefined);
        }
        return { status: "success" };
      },
    }),
  };
  const ends = batchOf([
    { role: "passive", localAddress: "203.0.113.77", peerAddress: "203.0.113.78" },
    { role: "active", localAddress: "203.0.113.78", peerAddress: "203.0.113.77" },
  ]);
  await using queue = await openExporter(late, 1, { queue: { linger: 0 } });
  for (const exported of [2, 4]) {
    queue.push(ends);
    while (queue.counters.exported < exported) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  assert.equal(parents.at(-1), true);
});

Deno.test("warnings on the console show what a terminal would obey", async () => {
  const { type } = makeType([{ status: "failure", reason: "\u001b[2Jgone" }]);
  const { warn } = console;
  const warnings: unknown[] = [];
  console.warn = (...args) => warnings.push(...args);
  try {
    const queue = await openExporter(type, 1);
    queue.push(batchOf([{}]));
    await queue.close();
  } finally {
    console.warn = warn;
  }
  assert.deepEqual(warnings, ["mine: lost 1 session until now: \\x1b[2Jgone"]);
});

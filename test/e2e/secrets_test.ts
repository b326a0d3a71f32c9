/** Secrets in a config or in the environment appear in no message, whatever goes wrong. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { answer, OtlpReceiver, type Reply } from "../otlp_receiver.ts";
import { RawServer, unusedPort } from "../raw_server.ts";
import { together } from "../together.ts";
import { curl, startNginx } from "./nginx.ts";
import type { Ended } from "./process.ts";
import { runTcpspan, startTcpspan } from "./tcpspan.ts";

const SECRET = "S3cr+t/of=the&test";
/** Parts of the secrets that no other text has. */
const TRACES = ["S3cr", "of=the", "of%3Dthe", "UzNjci"];
const IN_URL = encodeURIComponent(SECRET);
const BLABBING = fileURLToPath(new URL("../programs/blabbing_exporter.ts", import.meta.url));

function assertNothingLeaked({ stdout, stderr }: Ended): void {
  for (const trace of TRACES) {
    assert.ok(!stdout.includes(trace), `stdout has ${trace}: ${stdout}`);
    assert.ok(!stderr.includes(trace), `stderr has ${trace}: ${stderr}`);
  }
}

/** Wrong configs, with the secret in what is wrong or beside it. */
const WRONG: readonly (readonly [string, string])[] = [
  ["a header's value that is a list", `exporters: { otlp: { headers: { a: ["${SECRET}"] } } }`],
  ["headers that are text", `exporters: { otlp: { headers: "${SECRET}" } }`],
  ["a header's value with a line break", `exporters: { otlp: { headers: { a: "${SECRET}\\n" } } }`],
  ["a header's value that is a number", "exporters: { otlp: { headers: { a: 123456789 } } }"],
  ["a key that is a list", `trace: { key: ["${SECRET}"] }\nexporters: { stdout: }`],
  ["options that are text", `exporters: { x: { module: m, export: E, options: "${SECRET}" } }`],
  ["an unknown key beside it", `exporters: { otlp: { haeders: { a: "${SECRET}" } } }`],
  ["an endpoint without a scheme", `exporters: { otlp: { endpoint: "me:${SECRET}@host:4318" } }`],
  ["an endpoint of another scheme", `exporters: { otlp: { endpoint: "ftp://me:${IN_URL}@host" } }`],
  ["an endpoint with a query", `exporters: { otlp: { endpoint: "ftp://host/?token=${IN_URL}" } }`],
  [
    "a variable in place of a size",
    'capture: { ring_buffer: "${env:S}" }\nexporters: { stdout: }',
  ],
  [
    "a variable in place of a port",
    'capture: { local_ports: ["${env:S}"] }\nexporters: { stdout: }',
  ],
  ["a variable in place of a format", 'exporters: { stdout: { format: "x ${env:S}" } }'],
  ["a variable in place of an endpoint", 'exporters: { otlp: { endpoint: "${env:S}" } }'],
  ["a variable in a path", 'exporters: { file: { path: "/nowhere/${env:U}" } }'],
  ["an invalid reference", `exporters: { otlp: { headers: { a: "\${${SECRET}}" } } }`],
  ["an invalid default", `exporters: { otlp: { headers: { a: "\${env:A:-\${${SECRET}}}" } } }`],
  [
    "no quotes: a tag",
    `exporters:\n  otlp:\n    headers:\n      a: !${IN_URL.replaceAll("%", "")} x\n`,
  ],
  ["no quotes: an alias", `exporters:\n  otlp:\n    headers:\n      a: *${SECRET}\n`],
  ["no quotes: a reserved sign", `exporters:\n  otlp:\n    headers:\n      a: @${SECRET}\n`],
  ["no quotes: a block's head", `exporters:\n  otlp:\n    headers:\n      a: |${SECRET}\n`],
  ["quotes left open", `exporters:\n  otlp:\n    headers:\n      a: "${SECRET}\n`],
  ["a bracket left open", `exporters:\n  otlp: { headers: { a: ${SECRET}\n`],
  ["a second colon", `exporters:\n  otlp:\n    headers:\n      a: b: ${SECRET}\n`],
  ["an invalid escape", `exporters: { otlp: { headers: { a: "\\${SECRET}" } } }`],
  [
    "an anchor twice",
    `exporters: { otlp: { headers: { a: &${SECRET.replace(/[,&]/, "")} &b x } } }`,
  ],
  ["a directive", `%${SECRET}\n---\nexporters: { stdout: }`],
  [
    "a class that reveals its options",
    `exporters: { x: { module: ${BLABBING}, export: AtOnce, options: { k: "${SECRET}" } } }`,
  ],
  [
    "a class that reveals the password in its options' URL",
    `exporters: { x: { module: ${BLABBING}, export: AtOnce, options: { u: "http://me:${IN_URL}@h" } } }`,
  ],
  [
    "a module's URL",
    `exporters: { x: { module: "http://me:${IN_URL}@127.0.0.1:1/m.ts", export: E } }`,
  ],
];

const runWrong = together(WRONG, ([, config]) =>
  runTcpspan(["--duration", "1"], {
    config,
    env: { S: SECRET, U: SECRET.replaceAll("/", "") },
  }));

for (const wrong of WRONG) {
  const [name] = wrong;
  Deno.test(`wrong config, ${name}: reported without the secret, status 2`, async () => {
    const ended = await runWrong(wrong);
    assert.equal(ended.status, 2, ended.stderr);
    assert.notEqual(ended.stderr, "");
    if (name === "a variable in a path") return; // a path is named, or nobody finds it
    assertNothingLeaked(ended);
    assert.ok(!ended.stderr.includes("123456789"));
  });
}

/** Variables that are wrong or unused. */
Deno.test("wrong variables of OTLP are reported without the secret", async () => {
  const ended = await runTcpspan(["--duration", "0.1"], {
    env: {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_HEADERS: `no pair, ${SECRET}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://me:${IN_URL}@host/?token=${IN_URL}`,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `me:${SECRET}@host`,
    },
  });
  assert.match(ended.stderr, /ignoring OTEL_EXPORTER_OTLP_HEADERS/);
  assertNothingLeaked(ended);
});

/** A run whose exporter `otlp` could not deliver a session. */
async function failedDelivery(otlp: string): Promise<Ended> {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    config: `
trace: { key: "${SECRET}" }
exporters:
  otlp:
    headers: { authorization: "Bearer ${SECRET}", x-tenant: "name=${SECRET}" }
    retry_on_failure: { enabled: false }
${otlp}
`,
  });
  await curl([nginx.url("/")]);
  await tool.stderr.waitForLines(1, (line) => line.includes("lost 1 session"));
  return await tool.stop("SIGINT");
}

const echo: Reply = (response, { headers, path }) => {
  const said = `go away, ${headers.authorization} of ${headers["x-tenant"]}, asking for ${path}`;
  response.writeHead(401, { "content-type": "text/plain", "www-authenticate": said }).end(said);
};

const REFUSALS: readonly (readonly [string, Reply])[] = [
  ["a 401 that echoes it", echo],
  [
    "a 400 in JSON that echoes it",
    answer(400, JSON.stringify({ message: `bad ${SECRET}` }), {
      "content-type": "application/json",
    }),
  ],
  ["a redirect with it", answer(307, "", { location: `http://me:${IN_URL}@other/?t=${IN_URL}` })],
  ["a reason phrase with it", (response) => {
    response.writeHead(500, `sorry ${SECRET}`).end();
  }],
];

for (const [name, reply] of REFUSALS) {
  Deno.test(`${name}: reported without the secret`, async () => {
    await using server = await OtlpReceiver.start(reply);
    const url = new URL(server.url());
    const ended = await failedDelivery(
      `    endpoint: "http://me:${IN_URL}@${url.host}/?token=${IN_URL}"`,
    );
    assert.match(ended.stderr, /cannot send to http:\/\/127/);
    assertNothingLeaked(ended);
  });
}

for (const protocol of ["http/protobuf", "grpc"]) {
  const endpoint = (scheme: string, port: number | string) =>
    `    protocol: ${protocol}\n    endpoint: "${scheme}://me:${IN_URL}@127.0.0.1:${port}/?t=${IN_URL}"`;

  Deno.test(`${protocol}, a dead collector: reported without the secret`, async () => {
    assertNothingLeaked(await failedDelivery(endpoint("http", unusedPort())));
  });

  Deno.test(`${protocol}, TLS to a server without TLS: reported without the secret`, async () => {
    await using server = await RawServer.start((socket) => void socket.end("220 hello\r\n"));
    assertNothingLeaked(await failedDelivery(endpoint("https", new URL(server.url).port)));
  });
}

Deno.test("a foreign exporter that puts its options into every message: reported without the secret", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    config: `
exporters:
  x: { module: ${BLABBING}, export: Later, options: { inner: [{ password: "${SECRET}" }] } }
`,
  });
  await curl([nginx.url("/")]);
  await tool.stderr.waitForLines(1, (line) => line.includes("lost 1 session"));
  const ended = await tool.stop("SIGINT");
  assert.match(ended.stderr, /uncaught error in the background/);
  assert.match(ended.stderr, /cannot shut down/);
  assertNothingLeaked(ended);
});

Deno.test("headers and options that are ordinary words and numbers: messages and counts stay whole", async () => {
  await using nginx = await startNginx();
  await using tool = await startTcpspan(["-D", `${nginx.port}`], {
    config: `
exporters:
  otlp:
    endpoint: http://127.0.0.1:${unusedPort()}
    headers: { x-honeycomb-dataset: tracing, x-scope-orgid: "1000", x-n: "0000" }
  x: { module: ${BLABBING}, export: Later, options: { timeoutMillis: 10000, size: 1234 } }
`,
  });
  await curl([nginx.url("/")]);
  await tool.stderr.waitForLines(1, (line) => line.includes("trying again"));
  const { stderr } = await tool.stop("SIGINT");
  assert.match(stderr, /up to 100000 sessions are kept/);
  assert.match(stderr, /cannot use \{"timeoutMillis":10000,"size":1234\}/);
  assert.match(stderr, /^tcpspan: captured 1 session; /m);
  assert.match(stderr, /^tcpspan: lost 1 session: otlp: not delivered$/m);
});

Deno.test("config check and --help show nothing of a good config", async () => {
  const config = `
trace: { key: "${SECRET}" }
exporters: { otlp: { endpoint: "http://me:${IN_URL}@host", headers: { a: "${SECRET}" } } }
`;
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, config);
    assertNothingLeaked(await runTcpspan(["config", "check", file]));
    assertNothingLeaked(await runTcpspan(["--help"], { env: { TCPSPAN_CONFIG: file } }));
  } finally {
    await Deno.remove(file);
  }
});

/** `config check`: what is wrong in a config, and in the files that it names. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { exporterTypes } from "../../exporters/registry.ts";
import { checkConfig } from "../../src/command_line/check.ts";
import { UsageError } from "../../src/messages/errors.ts";
import { makeTempFolder } from "../temp_folder.ts";

/** A folder with files of each kind that a config may name, and what `make` adds. */
async function makeFolder() {
  const folder = await makeTempFolder();
  const at = (name: string) => join(folder.path, name);
  await Deno.mkdir(at("folder"));
  await Deno.writeTextFile(at("plain"), "text\n");
  await Deno.writeTextFile(at("file.jsonl"), "");
  await Deno.link(at("file.jsonl"), at("hard.jsonl"));
  await Deno.symlink("file.jsonl", at("link.jsonl"));
  await Deno.symlink("new.jsonl", at("link_to_nothing.jsonl"));
  await Deno.symlink("folder", at("link_to_folder"));
  return folder;
}

/** The lines that a check of `yaml` gives, without the file's name; FOLDER is its folder. */
async function problems(
  yaml: string,
  { deep = false, env = {} }: { deep?: boolean; env?: Readonly<Record<string, string>> } = {},
): Promise<string[]> {
  await using folder = await makeFolder();
  const file = join(folder.path, "tcpspan.yaml");
  await Deno.writeTextFile(file, yaml);
  const before = await listing(folder.path);
  try {
    await checkConfig(file, { deep, env: (name) => env[name], exporterTypes });
    return [];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.split("\n").map((line) =>
      line.replace(`${file}:`, "").replaceAll(folder.path, "FOLDER")
    );
  } finally {
    assert.deepEqual(await listing(folder.path), before);
  }
}

async function listing(path: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
  return entries.sort();
}

/** The settings of an exporter, and the lines about them; the id is on line 2. */
const WRONG: readonly [settings: string, ...lines: string[]][] = [
  [
    "otlp: { tls: { cert_file: plain } }",
    "2:29: exporters.otlp.tls.cert_file: cannot use tls.cert_file: found no tls.key_file: expected both or neither",
  ],
  [
    "otlp: { tls: { key_file: plain } }",
    "2:28: exporters.otlp.tls.key_file: cannot use tls.key_file: found no tls.cert_file: expected both or neither",
  ],
  [
    "otlp: { tls: { ca_file: none.pem } }",
    '2:27: exporters.otlp.tls.ca_file: cannot read tls.ca_file: "FOLDER/none.pem": no such file',
  ],
  [
    "otlp: { tls: { ca_file: plain } }",
    '2:27: exporters.otlp.tls.ca_file: cannot use tls.ca_file: "FOLDER/plain": expected a certificate in PEM form',
  ],
  [
    "file: { path: none/spans.jsonl }",
    "2:17: exporters.file.path: cannot write FOLDER/none/spans.jsonl: there is no folder FOLDER/none: create it, or name another",
  ],
  [
    "file: { path: plain/spans.jsonl }",
    "2:17: exporters.file.path: cannot write FOLDER/plain/spans.jsonl: FOLDER/plain is not a directory: name another",
  ],
  [
    "file: { path: folder }",
    "2:17: exporters.file.path: cannot write FOLDER/folder: it is a directory: name a file in it",
  ],
  [
    "file: { path: /dev/null }",
    "2:17: exporters.file.path: cannot write /dev/null: it is not a regular file: name another",
  ],
  [
    "file: { path: /dev/stdout }",
    "2:17: exporters.file.path: cannot write /dev/stdout: it is an open file of a process: name another, or use a stdout exporter",
  ],
  [
    "otlp: { sending_queue: { storage: none/queue } }",
    "2:37: exporters.otlp.sending_queue.storage: cannot use FOLDER/none/queue: there is no folder FOLDER/none: create it, or name another",
  ],
  [
    "otlp: { sending_queue: { storage: plain } }",
    "2:37: exporters.otlp.sending_queue.storage: cannot use FOLDER/plain: it is not a folder",
  ],
  [
    "m: { module: ./none.ts, export: X }",
    "2:16: exporters.m.module: cannot load ./none.ts: there is no file FOLDER/none.ts",
  ],
  [
    'm: { module: "@a/b", export: X }',
    "2:16: exporters.m.module: cannot load @a/b: there is no file FOLDER/@a/b; for a package write npm:@a/b",
  ],
  [
    "m: { module: ./folder, export: X }",
    "2:16: exporters.m.module: cannot load ./folder: FOLDER/folder is a directory: name a file in it",
  ],
  [
    'm: { module: "https://", export: X }',
    "2:16: exporters.m.module: cannot load https://: Invalid URL: 'https://' with base 'file://FOLDER/'",
  ],
  [
    "m: { module: ./plain/x.ts, export: X }",
    "2:16: exporters.m.module: cannot load ./plain/x.ts: Not a directory (os error 20): stat 'FOLDER/plain/x.ts'",
  ],
  [
    'm: { module: "./%zz.ts", export: X }',
    "2:16: exporters.m.module: cannot load ./%zz.ts: URI malformed",
  ],
  [
    "stdout: { format: json, time: true }",
    "2:33: exporters.stdout.time: found true: expected false with format: json, where each line has start and end",
  ],
  [
    "stdout: { format: json, timestamp: true }",
    "2:38: exporters.stdout.timestamp: found true: expected false with format: json, where each line has start and end",
  ],
];

for (const [settings, ...lines] of WRONG) {
  Deno.test(`config check refuses ${settings}`, async () => {
    assert.deepEqual(await problems(`exporters:\n  ${settings}\n`), lines);
  });
}

const RIGHT = [
  "stdout: { format: csv, time: true, timestamp: true }",
  "stdout: { format: json, time: false }",
  "otlp: { sending_queue: { storage: new } }",
  "file: { path: new.jsonl }",
  "file: { path: link_to_nothing.jsonl }",
  "file: { path: link_to_folder/new.jsonl }",
  "m: { module: npm:@a/b@1.0.0, export: X }",
  "m: { module: ./plain, export: X }",
];

for (const settings of RIGHT) {
  Deno.test(`config check accepts ${settings}`, async () => {
    assert.deepEqual(await problems(`exporters:\n  ${settings}\n`), []);
  });
}

Deno.test("config check takes a key from the environment for a certificate of the config", async () => {
  const yaml = "exporters:\n  otlp: { tls: { cert_file: plain } }\n";
  for (const name of ["OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"]) {
    assert.deepEqual(await problems(yaml, { env: { [name]: "/key.pem" } }), []);
  }
});

/** Variables with which a run would not start, and the line about the receiver. */
const WRONG_PROXIES: readonly [settings: string, name: string, value: string, found: string][] = [
  ["endpoint: http://h:4318", "ALL_PROXY", "socks5://p:1080", "a socks5 proxy"],
  ["endpoint: https://h:4318", "https_proxy", "socks5h://p:1080", "a socks5h proxy"],
  ['protocol: grpc, endpoint: "h:4317"', "grpc_proxy", "http://p:x", "something else"],
];

for (const [settings, name, value, found] of WRONG_PROXIES) {
  Deno.test(`config check refuses ${name}=${value} for ${settings}`, async () => {
    const yaml = `exporters:\n  otlp: { ${settings} }\n`;
    assert.deepEqual(await problems(yaml, { env: { [name]: value } }), [
      `2:9: exporters.otlp: cannot use ${name}: found ${found}: expected http://HOST:PORT or ` +
      "https://HOST:PORT, or the endpoint's host in no_proxy",
    ]);
    assert.deepEqual(await problems(yaml, { env: { [name]: value, no_proxy: "h" } }), []);
    const local = "exporters:\n  otlp: { endpoint: http://localhost:4318 }\n";
    assert.deepEqual(await problems(local, { env: { [name]: value } }), []);
  });
}

/** Two names that lead to one file. */
const SAME: readonly [one: string, other: string][] = [
  ["new.jsonl", "new.jsonl"],
  ["new.jsonl", "./new.jsonl"],
  ["new.jsonl", "folder/../new.jsonl"],
  ["new.jsonl", "link_to_nothing.jsonl"],
  ["file.jsonl", "link.jsonl"],
  ["file.jsonl", "hard.jsonl"],
  ["folder/new.jsonl", "link_to_folder/new.jsonl"],
];

for (const [one, other] of SAME) {
  Deno.test(`two file exporters may not write ${one} and ${other}`, async () => {
    assert.deepEqual(
      await problems(`exporters:\n  file/a: { path: ${one} }\n  file/b: { path: ${other} }\n`),
      [`3:19: exporters.file/b.path: found ${
        JSON.stringify(other)
      }, which exporters.file/a.path has already: expected another`],
    );
  });
}

Deno.test("a queue's folder is no file, but several queues may share it", async () => {
  const queue = (id: string) => `  ${id}: { sending_queue: { storage: queue } }\n`;
  assert.deepEqual(await problems(`exporters:\n${queue("otlp/a")}${queue("otlp/b")}`), []);
  assert.deepEqual(await problems(`exporters:\n${queue("otlp")}  file: { path: ./queue }\n`), [
    '3:17: exporters.file.path: found "./queue", which exporters.otlp.sending_queue.storage has already: expected another',
  ]);
});

Deno.test("everything that is wrong in what a config names is reported at once", async () => {
  const lines = await problems(
    "exporters:\n  otlp: { tls: { ca_file: a } }\n  file: { path: none/a }\n",
  );
  assert.deepEqual(lines.map((line) => line.split(" ", 2).join(" ")), [
    "2:27: exporters.otlp.tls.ca_file:",
    "3:17: exporters.file.path:",
  ]);
});

Deno.test("config check --deep asks a receiver, tries files and queues, and leaves nothing behind", async () => {
  const requests: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      requests.push(new URL(request.url).pathname);
      return new Response(new Uint8Array(), {
        headers: { "content-type": "application/x-protobuf" },
      });
    },
  );
  const yaml = (port: number) => `
exporters:
  stdout:
  otlp:
    endpoint: http://127.0.0.1:${port}
    sending_queue: { storage: queue }
  file: { path: link_to_nothing.jsonl }
`;
  assert.deepEqual(await problems(yaml(server.addr.port), { deep: true }), []);
  assert.deepEqual(requests, ["/v1/traces"]);
  const [first = "", second = ""] = await problems(yaml(1), { deep: true });
  assert.match(first, /^5:5: exporters\.otlp: cannot send to .*: connection refused$/);
  assert.match(
    second,
    /^ {2}-> sessions wait in the exporter's queue until .* what exporters\.otlp names is up/,
  );
});

Deno.test("config check --deep loads modules", async () => {
  const lines = await problems("exporters:\n  m: { module: ./plain, export: X }\n", { deep: true });
  assert.match(lines[0] ?? "", /^2:16: exporters\.m\.module: cannot load \.\/plain: /);
});

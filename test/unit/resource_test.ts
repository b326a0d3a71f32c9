import { strict as assert } from "node:assert";
import { machineId } from "../../src/host/machine_id.ts";
import { OWNER } from "../../src/session/record_layout.ts";
import { ProcessResources, type ResourceSettings } from "../../src/span/resource.ts";
import { makeSession, type RecordFields } from "../fixtures.ts";
import { identityOf, start } from "../processes.ts";

const DEFAULTS: ResourceSettings = { attributes: {}, commandLine: false, fromProcessEnv: false };
const TICK_NS = 10_000_000n; // of the times in /proc/PID/stat
const NO_PROCESS = 2 ** 22 + 1; // above any pid that Linux gives

/** What a session with `fields` says about its process. */
function attributesOf(fields: Partial<RecordFields>, settings: Partial<ResourceSettings> = {}) {
  const resources = new ProcessResources({ ...DEFAULTS, ...settings });
  return resources.of(makeSession(fields)).attributes;
}

const DEAD: Partial<RecordFields> = {
  owner_pid: NO_PROCESS,
  owner_exe: "worker",
  owner_comm: "worker-thread",
  owner_uid: 0,
};

const EVERY = {
  "host.name": Deno.hostname(),
  "os.type": "linux",
};

Deno.test("of() names a process that is gone by what the kernel recorded", () => {
  const { "service.instance.id": instance, "host.id": _, ...rest } = attributesOf({
    ...DEAD,
    wall_offset_ns: 1_767_323_045_000_000_000n, // 2026-01-02T03:04:05Z
    owner_process_start_ns: 678_999_999n,
  });
  assert.deepEqual(rest, {
    ...EVERY,
    "service.name": "worker",
    "process.pid": NO_PROCESS,
    "process.executable.name": "worker",
    "process.creation.time": "2026-01-02T03:04:05.678Z",
    "process.owner": "root",
  });
  // RFC 9562: version 5, variant 10
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(String(instance), uuid);
});

Deno.test("of() adds what /proc shows of a running process", () => {
  const attributes = attributesOf({ ...identityOf(Deno.pid), owner_exe: "deno" });
  assert.equal(attributes["process.executable.path"], Deno.readLinkSync("/proc/self/exe"));
  assert.equal(attributes["process.pid"], Deno.pid);
  assert.equal(attributes["process.executable.name"], "deno");
});

Deno.test("of() gives no path of a program that the process executed later", () => {
  for (const before of ["bash", "de", "denoise"]) {
    const settings = { commandLine: true };
    const attributes = attributesOf({ ...identityOf(Deno.pid), owner_exe: before }, settings);
    assert.equal(attributes["process.executable.path"], undefined);
    assert.equal(attributes["process.command_line"], undefined);
    assert.equal(attributes["process.executable.name"], before);
    assert.equal(attributes["process.pid"], Deno.pid);
  }
});

Deno.test("of() knows the path of an executable whose name the kernel cut", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/${"sleeper".padEnd(80, "-")}`;
  await Deno.copyFile("/bin/sleep", path);
  const child = new Deno.Command(path, { args: ["60"] }).spawn();
  try {
    const cut = path.slice(folder.length + 1).slice(0, 63);
    const attributes = attributesOf({ ...identityOf(child.pid), owner_exe: cut });
    assert.equal(attributes["process.executable.path"], path);
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("of() takes nothing from another process that got the same pid", () => {
  const fields = identityOf(Deno.pid);
  const earlier = BigInt(fields.owner_process_start_ns ?? 0) - TICK_NS;
  const attributes = attributesOf({ ...fields, owner_process_start_ns: earlier, owner_exe: "x" });
  assert.equal(attributes["process.executable.path"], undefined);
  assert.equal(attributes["process.executable.name"], "x");
});

Deno.test("of() gives the host's id if it has one", () => {
  assert.equal(attributesOf(DEAD)["host.id"], machineId());
});

const NAMES: [name: string, fields: Partial<RecordFields>, serviceName: string][] = [
  ["the executable's name", DEAD, "worker"],
  [
    "the thread's name where the executable's is unknown",
    { ...DEAD, owner_exe: "" },
    "worker-thread",
  ],
  ["unknown_service without either", { ...DEAD, owner_exe: "", owner_comm: "" }, "unknown_service"],
  ["unknown_service without an owner", { owner_source: OWNER.UNKNOWN }, "unknown_service"],
];

for (const [name, fields, serviceName] of NAMES) {
  Deno.test(`service.name is ${name}`, () => {
    assert.equal(attributesOf(fields)["service.name"], serviceName);
  });
}

Deno.test("service.name in the settings wins over all others, and so do the other attributes there", () => {
  const settings = {
    attributes: {
      "service.name": "mine",
      "host.name": "elsewhere",
      "deployment.environment.name": "prod",
    },
    fromProcessEnv: true,
  };
  for (const fields of [DEAD, identityOf(Deno.pid), { owner_source: OWNER.UNKNOWN }]) {
    const attributes = attributesOf(fields, settings);
    assert.equal(attributes["service.name"], "mine");
    assert.equal(attributes["host.name"], "elsewhere");
    assert.equal(attributes["deployment.environment.name"], "prod");
  }
});

Deno.test("service.name is the process's own OTEL_SERVICE_NAME if the settings allow it", async () => {
  await using sleeper = await start("exec sleep 60", { env: { OTEL_SERVICE_NAME: "own" } });
  const fields = { ...identityOf(sleeper.pid), owner_exe: "sleep" };
  assert.equal(attributesOf(fields)["service.name"], "sleep");
  assert.equal(attributesOf(fields, { fromProcessEnv: true })["service.name"], "own");
});

for (const value of ["", undefined]) {
  Deno.test(`service.name is not taken from an OTEL_SERVICE_NAME that is ${value ?? "unset"}`, async () => {
    const env: Record<string, string> = value === undefined ? {} : { OTEL_SERVICE_NAME: value };
    await using sleeper = await start("exec sleep 60", { env });
    const fields = { ...identityOf(sleeper.pid), owner_exe: "sleep" };
    assert.equal(attributesOf(fields, { fromProcessEnv: true })["service.name"], "sleep");
  });
}

Deno.test("process.command_line is there only if the settings ask for it", async () => {
  await using sleeper = await start("exec sleep 60.5");
  const fields = { ...identityOf(sleeper.pid), owner_exe: "sleep" };
  assert.equal(attributesOf(fields)["process.command_line"], undefined);
  assert.equal(attributesOf(fields, { commandLine: true })["process.command_line"], "sleep 60.5");
});

Deno.test("what a process can make arbitrarily long is cut, but never within a character", async () => {
  const name = "x" + "\u{1f94a}".repeat(20_000);
  await using sleeper = await start(`exec sleep 60 ${"0 ".repeat(20_000)}`, {
    env: { OTEL_SERVICE_NAME: name },
  });
  const fields = { ...identityOf(sleeper.pid), owner_exe: "sleep" };
  const attributes = attributesOf(fields, { fromProcessEnv: true, commandLine: true });
  assert.equal(attributes["service.name"], name.slice(0, 255));
  assert.equal(
    attributes["process.command_line"],
    `sleep 60 ${"0 ".repeat(5_000)}`.slice(0, 4096).trim(),
  );
});

Deno.test("process.owner is the user's number if the user has no name", () => {
  assert.equal(attributesOf({ ...DEAD, owner_uid: 3_999_999_999 })["process.owner"], "3999999999");
});

Deno.test("of() leaves out what is unknown: no empty and no undefined values", () => {
  for (const fields of [{ ...DEAD, owner_exe: "" }, { owner_source: OWNER.UNKNOWN }]) {
    for (const [key, value] of Object.entries(attributesOf(fields))) {
      assert.ok(value !== undefined && value !== "", key);
    }
  }
});

Deno.test("of() gives only the name of a process that the tracer's namespace does not show", () => {
  const attributes = attributesOf({ ...DEAD, owner_pid: 0 });
  assert.equal(attributes["process.pid"], undefined);
  assert.equal(attributes["service.instance.id"], undefined);
  assert.equal(attributes["service.name"], "worker");
});

Deno.test("of() gives all sessions of a process the same object", () => {
  const resources = new ProcessResources(DEFAULTS);
  const one = resources.of(makeSession({ ...DEAD, local_port: 1 }));
  assert.equal(resources.of(makeSession({ ...DEAD, local_port: 2 })), one);
  assert.equal(resources.of(makeSession({ ...DEAD, owner_comm: "other-thread" })), one);
  const nobody = resources.of(makeSession({ owner_source: OWNER.UNKNOWN }));
  assert.equal(resources.of(makeSession({ owner_source: OWNER.UNKNOWN, cookie: 5n })), nobody);
});

const OTHERS: Record<string, Partial<RecordFields>> = {
  "pid": { owner_pid: NO_PROCESS + 1 },
  "start": { owner_process_start_ns: 2n },
  "executable": { owner_exe: "after-exec" },
  "execution": { owner_exec_id: 2 },
};

for (const [difference, fields] of Object.entries(OTHERS)) {
  Deno.test(`of() gives a process with another ${difference} another object`, () => {
    const resources = new ProcessResources(DEFAULTS);
    const one = resources.of(makeSession(DEAD));
    assert.notEqual(resources.of(makeSession({ ...DEAD, ...fields })), one);
  });
}

Deno.test("service.instance.id is the same at every start, and different for another process", () => {
  const id = attributesOf(DEAD)["service.instance.id"];
  assert.equal(attributesOf(DEAD)["service.instance.id"], id);
  for (const fields of [{ owner_pid: NO_PROCESS + 1 }, { owner_process_start_ns: 2n }]) {
    assert.notEqual(attributesOf({ ...DEAD, ...fields })["service.instance.id"], id);
  }
});

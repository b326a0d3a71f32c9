/** service.name of real processes whose executable has several names. */
import { strict as assert } from "node:assert";
import { basename } from "node:path";
import { ProcessResources } from "../../src/span/resource.ts";
import { makeSession, type RecordFields } from "../fixtures.ts";
import { recordOf, start, type StartOptions } from "../processes.ts";
import { makeTempFolder } from "../temp_folder.ts";

const PYTHON = Deno.realPathSync("/usr/bin/python3");
const LOADER = "/lib64/ld-linux-x86-64.so.2";
const SLEEP = "60";

/** The executable is FOLDER/real/check; the others are links to it, each made another way. */
async function makePrograms() {
  const folder = await makeTempFolder();
  const { path } = folder;
  for (const name of ["real", "bin", "alternatives"]) await Deno.mkdir(`${path}/${name}`);
  await Deno.copyFile("/bin/sleep", `${path}/real/check`);
  await Deno.copyFile("/bin/sleep", `${path}/real/check (deleted)`);
  await Deno.symlink("check", `${path}/real/beside`);
  await Deno.symlink("../real/check", `${path}/bin/server`);
  await Deno.symlink(`${path}/real/check`, `${path}/alternatives/absolute`);
  await Deno.symlink(`${path}/alternatives/absolute`, `${path}/bin/alternative`);
  await Deno.symlink(`${path}/real`, `${path}/linked`);
  await Deno.symlink("loop", `${path}/bin/loop`);
  await Deno.symlink("/bin/cat", `${path}/bin/cat`);
  await Deno.symlink(PYTHON, `${path}/bin/shop`);
  await Deno.copyFile("/bin/sleep", `${path}/real/app-1.4.2`);
  await Deno.symlink("../real/app-1.4.2", `${path}/bin/app`);
  await Deno.link(`${path}/real/check`, `${path}/bin/hard`);
  return folder;
}

interface Case extends StartOptions {
  /** In bash, with `F` for the folder. */
  readonly run: string;
  readonly name: string;
  /** The executable's name, if it is not `check`. */
  readonly executable?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "a link by its path": { run: "exec F/bin/server", name: "server" },
  "a link by its path, in a linked folder": { run: "exec F/linked/beside", name: "beside" },
  "a link to a link, absolute": { run: "exec F/bin/alternative", name: "alternative" },
  "a link in PATH": { run: "exec server", env: { PATH: "/none:F/bin" }, name: "server" },
  "a link beside the executable": { run: "exec -a beside F/real/check", name: "beside" },
  "a link by a relative path": { run: "cd F/bin; exec ./server", name: "server" },
  "a link by a path with ..": { run: "cd F/bin; exec ../bin/../bin/server", name: "server" },
  "a link beside it, of a process that is elsewhere now": {
    run: "exec -a ./beside F/real/check",
    name: "beside",
  },
  "a relative path that leads nowhere now": { run: "exec -a ./server F/real/check", name: "check" },
  "the executable itself": { run: "exec F/real/check", name: "check" },
  "a hard link": { run: "exec F/bin/hard", name: "hard", executable: "hard" },
  "another hard link": {
    run: "exec -a F/real/check F/bin/hard",
    name: "check",
    executable: "hard",
  },
  "a login shell": { run: "exec -l server", env: { PATH: "F/bin" }, name: "server" },
  "a title that begins with the path, as redis has": {
    run: "exec -a 'F/bin/server *:6379' F/real/check",
    name: "server",
  },
  "a title that begins with the name": {
    run: "exec -a 'server *:6379 [cluster]' F/real/check",
    env: { PATH: "F/bin" },
    name: "server",
  },
  "nginx's title": {
    run: "exec -a 'nginx: master process F/bin/server' F/real/check",
    name: "check",
  },
  "postgres's title": {
    run: "exec -a 'postgres: 15/main: walwriter ' F/real/check",
    name: "check",
  },
  "sshd's title": { run: "exec -a 'sshd: root@pts/0' F/real/check", name: "check" },
  "a name that leads nowhere": { run: "exec -a webapp F/real/check", name: "check" },
  "a name that leads to another program": {
    run: "exec -a cat F/real/check",
    env: { PATH: "F/bin" },
    name: "check",
  },
  "a path that leads to another program": { run: "exec -a F/bin/cat F/real/check", name: "check" },
  "a folder": { run: "exec -a F/real/ F/real/check", name: "check" },
  "no name": { run: "exec -a '' F/real/check", name: "check" },
  "a dash": { run: "exec -a - F/real/check", name: "check" },
  "links without an end": { run: "exec -a F/bin/loop F/real/check", name: "check" },
  "a path without an end": {
    run: `exec -a F/${"bin/../".repeat(500)}x F/real/check`,
    name: "check",
  },
  "a PATH without an end": {
    run: "exec -a x F/real/check",
    env: { PATH: "/a:".repeat(30_000) },
    name: "check",
  },
  "a link in the 64th place of a PATH": {
    run: "exec -a server F/real/check",
    env: { PATH: `${"/a:".repeat(62)}F/bin` },
    name: "server",
  },
  "a link in a later place of a PATH": {
    run: "exec -a server F/real/check",
    env: { PATH: `${"/a:".repeat(64)}F/bin` },
    name: "check",
  },
  "bytes that are no text": { run: "exec -a $'\\xff\\n\\e[2J' F/real/check", name: "check" },
  "what runs itself again": { run: "exec -a /proc/self/exe F/real/check", name: "check" },
  "a file of /proc": { run: "exec -a /proc/$$/exe F/real/check", name: "check" },
  "a path through a folder of /proc": {
    run: "exec -a /proc/1/root/F/bin/server F/real/check",
    name: "check",
  },
  "a descriptor": { run: "exec -a /dev/fd/3 F/real/check 3<F/real/check", name: "check" },
  "an executable whose name ends in (deleted)": {
    run: "exec 'F/real/check (deleted)'",
    name: "check (deleted)",
    executable: "check (deleted)",
  },
  "a version of a program": { run: "exec F/bin/app", name: "app", executable: "app-1.4.2" },
  "a version of an interpreter": {
    run: "exec /usr/bin/python3 -c 'import time; time.sleep(60)'",
    name: basename(PYTHON),
    executable: basename(PYTHON),
  },
  "a link to an interpreter": {
    run: "exec F/bin/shop -c 'import time; time.sleep(60)'",
    name: "shop",
    executable: basename(PYTHON),
  },
};

for (
  const [what, { run, name, executable = "check", env = {}, ...options }] of Object.entries(CASES)
) {
  Deno.test(`service.name of ${what} is ${name}`, async () => {
    await using folder = await makePrograms();
    const fill = (text: string) => text.replaceAll(/\bF\//g, `${folder.path}/`);
    const script = run.includes(" -c ") ? run : `${run} ${SLEEP}`;
    const environment = Object.entries(env).map(([key, value]) => [key, fill(value)]);
    await using process = await start(fill(script), {
      ...options,
      env: Object.fromEntries(environment),
    });
    const attributes = attributesOf(recordOf(process.pid));
    assert.equal(attributes["process.executable.name"], executable);
    assert.equal(attributes["service.name"], name);
  });
}

Deno.test("service.name of a program that was replaced while it runs is still the link's", async () => {
  await using folder = await makePrograms();
  const real = `${folder.path}/real/check`;
  await using process = await start(`exec ${folder.path}/bin/server ${SLEEP}`);
  await Deno.rename(`${folder.path}/real/check (deleted)`, real);
  const attributes = attributesOf(recordOf(process.pid, "check"));
  assert.equal(attributes["process.executable.path"], real);
  assert.equal(attributes["service.name"], "server");
});

Deno.test("service.name of a program that was removed is the executable's", async () => {
  await using folder = await makePrograms();
  await using process = await start(`exec ${folder.path}/bin/server ${SLEEP}`);
  await Deno.remove(`${folder.path}/real/check`);
  const attributes = attributesOf(recordOf(process.pid, "check"));
  assert.equal(attributes["process.executable.path"], `${folder.path}/real/check`);
  assert.equal(attributes["service.name"], "check");
});

const LOADED: Readonly<Record<string, string>> = {
  "": "server",
  "--library-path /lib:/usr/lib": "server",
  "--inhibit-cache --argv0 other": "server",
};

for (const [options, name] of Object.entries(LOADED)) {
  Deno.test(`service.name of a program run by ld.so ${options} is the program's`, async () => {
    await using folder = await makePrograms();
    await using process = await start(
      `exec ${LOADER} ${options} ${folder.path}/bin/server ${SLEEP}`,
    );
    const attributes = attributesOf(recordOf(process.pid));
    assert.equal(attributes["process.executable.name"], basename(Deno.realPathSync(LOADER)));
    assert.equal(attributes["service.name"], name);
  });
}

/** Runs a copy of sleep in memory. */
const IN_MEMORY = `
import os, sys
fd = os.memfd_create(sys.argv[1], 0)
os.write(fd, open("/bin/sleep", "rb").read())
os.execve(fd, [sys.argv[2], "60"], os.environ)
`;

const MEMORY: readonly (readonly [memory: string, first: string, name: string])[] = [
  ["worker", "worker", "worker"],
  ["runc_cloned:/proc/self/exe", "/usr/bin/runc", "runc"],
  ["worker", "worker: idle", "worker"],
  ["", "worker", "worker"],
];

for (const [memory, first, name] of MEMORY) {
  Deno.test(`service.name of memfd ${memory}, run as "${first}", is ${name}`, async () => {
    await using process = await start(
      `exec /usr/bin/python3 -c '${IN_MEMORY}' '${memory}' '${first}'`,
    );
    const read = (file: string) => Deno.readTextFileSync(`/proc/${process.pid}/${file}`);
    while (Deno.readLinkSync(`/proc/${process.pid}/exe`) === PYTHON || read("environ") === "") {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const attributes = attributesOf(recordOf(process.pid, `memfd:${memory}`));
    assert.equal(attributes["process.executable.name"], `memfd:${memory}`);
    assert.equal(attributes["process.executable.path"], `/memfd:${memory}`);
    assert.equal(attributes["service.name"], name);
  });
}

const NO_PROCESS = 2 ** 22 + 1; // above any pid that Linux gives
const SHELL = basename(Deno.realPathSync("/bin/sh"));

const GONE: Readonly<Record<string, readonly [comm: string, executable: string, name: string]>> = {
  "that was run by a link": ["sh", SHELL, "sh"],
  "that was run by a link, and has the name of another program": ["sh", "cat", "cat"],
  "whose thread has a name": ["worker-1", SHELL, SHELL],
  "whose thread has a path for a name": ["../bin/sh", SHELL, SHELL],
  "that was run by its name": [SHELL, SHELL, SHELL],
  "that was run in memory": ["3", "memfd:worker", "worker"],
  "of an interpreter": ["python3", basename(PYTHON), basename(PYTHON)],
};

for (const [what, [owner_comm, owner_exe, name]] of Object.entries(GONE)) {
  Deno.test(`service.name of a process that is gone, ${what}, is ${name}`, () => {
    const attributes = attributesOf({ owner_pid: NO_PROCESS, owner_comm, owner_exe });
    assert.equal(attributes["service.name"], name);
    assert.equal(attributes["process.executable.name"], owner_exe);
  });
}

/** What a process was that ran, and what one like it that is gone is called afterwards. */
const SEEN: readonly {
  readonly what: string;
  readonly run: string;
  readonly seen: string;
  readonly gone: Partial<RecordFields>;
  readonly name: string;
}[] = [
  { what: "", run: "exec F/bin/server", seen: "server", gone: {}, name: "server" },
  {
    what: "whose thread has a name",
    run: "exec F/bin/server",
    seen: "server",
    gone: { owner_comm: "other" },
    name: "check",
  },
  {
    what: "of another user",
    run: "exec F/bin/server",
    seen: "server",
    gone: { owner_uid: 65534 },
    name: "check",
  },
  {
    what: "whose name is longer than comm",
    run: "exec F/bin/server-of-all-sorts",
    seen: "server-of-all-sorts",
    gone: {},
    name: "server-of-all-sorts",
  },
  {
    what: "which said it was run by a link",
    run: "exec -a F/bin/server F/real/check",
    seen: "server",
    gone: {},
    name: "check",
  },
  {
    what: "which was run by one link and said another",
    run: "exec -a F/bin/server F/bin/another",
    seen: "server",
    gone: {},
    name: "check",
  },
];

for (const { what, run, seen, gone, name } of SEEN) {
  Deno.test(`service.name of a process that is gone, like one that was seen (${run}), ${what}, is ${name}`, async () => {
    await using folder = await makePrograms();
    for (const link of ["server-of-all-sorts", "another"]) {
      await Deno.symlink("../real/check", `${folder.path}/bin/${link}`);
    }
    const script = run.replaceAll(/\bF\//g, `${folder.path}/`);
    await using process = await start(`${script} ${SLEEP}`);
    const alive = recordOf(process.pid);
    assert.equal(attributesOf(alive)["service.name"], seen);
    const attributes = attributesOf({ ...alive, owner_pid: NO_PROCESS, ...gone });
    assert.equal(attributes["service.name"], name);
  });
}

function attributesOf(fields: Partial<RecordFields>) {
  const settings = { attributes: {}, commandLine: false, fromProcessEnv: false };
  return new ProcessResources(settings).of(makeSession(fields)).attributes;
}

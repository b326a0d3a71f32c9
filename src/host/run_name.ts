/** The name by which a process's program was run: its executable may have several, as links. */
import { fileIdentity } from "../../ffi/file_identity.ts";
import { type OpenFile, openFile } from "../../ffi/open_file.ts";
import { O_PATH } from "../../ffi/open_flags.ts";
import { openInRoot } from "../../ffi/open_in_root.ts";
import { readProc, readProcEnv, readProcLink } from "./procfs.ts";

/** A process, running or not. */
export interface Program {
  /** Base name of its executable. */
  readonly executable: string;
  /** The kernel's name of a thread: at first that of the file that was executed, cut to 15 bytes. */
  readonly comm: string;
  /** Its user, if known. */
  readonly uid: number | undefined;
  /** Its folder below /proc; undefined if it has ended. */
  readonly folder: string | undefined;
  /** Path of its executable, if that may be read. */
  readonly path: string | undefined;
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MOST_ARGUMENTS = 4096; // bytes
const MOST_PLACES = 64; // of a PATH, which a process may have made long
const LONGEST_SEARCH = 100; // ms: links may lead through thousands of folders
const LONGEST_COMM = 15;
const MOST_KNOWN = 1024;

const MEMORY = /^memfd:/; // memfd_create(2)
const PLAIN_NAME = /^[\w.+@-]+$/;
// names that differ by a version alone; the executable's is the exact one
const INTERPRETER = /^(guile|lua|perl|php|pypy|python|ruby|tclsh)[\d.-]*$/;
// what runs the program that its arguments name: ld.so(8), and QEMU for other machines' programs
const LOADER = /^(?:ld(?:64)?(?:-[\w.-]+)?\.so[\d.]*|libc(?:\.musl-\w+)?\.so[\d.]*)$/;
const EMULATOR = /^qemu-(?!system-)\w+(?:-static)?$/;
const OPTIONS_WITH_VALUES = new Set([
  ...["--argv0", "--audit", "--glibc-hwcaps-mask", "--glibc-hwcaps-prepend", "--inhibit-rpath"],
  ...["--library-path", "--preload"],
  ...["-0", "-B", "-D", "-E", "-L", "-R", "-U", "-cpu", "-d", "-g", "-p", "-r", "-s"],
]);

const known = new Map<string, string>(); // names by user, executable and comm, for what is gone

/**
 * The base name of argv[0] if it leads to the executable, otherwise the executable's: a title that
 * a process gives itself (setproctitle) is no name. For ld.so it is the program that it runs.
 */
export function runName(program: Program): string {
  const { executable, comm, folder } = program;
  const text = folder === undefined ? undefined : readProc(`${folder}/cmdline`, MOST_ARGUMENTS);
  const args = text?.split("\0") ?? [];
  if (MEMORY.test(executable)) {
    const names = [baseName(args[0] ?? ""), executable.replace(MEMORY, "")];
    return names.find((name) => PLAIN_NAME.test(name)) ?? executable;
  }
  if (folder === undefined || text === undefined) return nameOfGone(program);
  const [first = ""] = args;
  const run = areVersions(baseName(first), executable) ? executable : runBy(program, folder, first);
  if (run !== undefined && (LOADER.test(executable) || EMULATOR.test(executable))) {
    return baseName(programOf(args) ?? "") || executable;
  }
  if (run === undefined || run === executable) return executable;
  if (isCommOf(run, comm)) learn(program, run);
  return run;
}

/**
 * Of a process that has ended, comm is left: it counts if another process like it had that name, or
 * a program of this host has it.
 */
function nameOfGone(program: Program): string {
  const { executable, comm } = program;
  if (executable === "" || areVersions(executable, comm) || isCommOf(executable, comm)) {
    return executable;
  }
  let name = known.get(keyOf(program));
  if (name === undefined) {
    name = isUsualName(program) ? comm : executable;
    learn(program, name);
  }
  return name;
}

/** Whether comm is, in a usual folder of programs, a name of an executable called like that. */
function isUsualName({ executable, comm }: Program): boolean {
  if (!PLAIN_NAME.test(comm) || comm.length >= LONGEST_COMM) return false;
  using root = openRoot("/");
  if (root === undefined) return false;
  return PATH.split(":").some((place) => {
    using file = openInRoot(root.fd, `${place}/${comm}`);
    return file !== undefined && baseName(pathOf(file) ?? "") === executable;
  });
}

/** Whether executing a file of that name gives a process this comm. */
function isCommOf(name: string, comm: string): boolean {
  return name === comm || comm.length === LONGEST_COMM && name.startsWith(comm);
}

/** Another user's processes may be other programs of the same name. */
function keyOf({ uid, executable, comm }: Program): string {
  return `${uid}\0${executable}\0${comm}`;
}

function learn(program: Program, name: string): void {
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(keyOf(program), name);
}

/** @param first argv[0]. @returns its base name if it leads to the executable */
function runBy({ executable, path }: Program, folder: string, first: string): string | undefined {
  using root = openRoot(`/proc/${folder}/root`) ?? openRoot("/");
  if (root === undefined) return undefined;
  const rootPath = pathOf(root)?.replace(/\/$/, "") ?? "";
  const seenInside = (path: string) =>
    path.startsWith(`${rootPath}/`) ? path.slice(rootPath.length) : path;
  const identity = fileIdentity(`/proc/${folder}/exe`);
  const end = performance.now() + LONGEST_SEARCH;
  const leads = (to: string) => {
    if (performance.now() > end) return false;
    using file = openInRoot(root.fd, to);
    if (file === undefined) return false;
    if (identity !== undefined && fileIdentity("", file.fd) === identity) return true;
    const found = pathOf(file) ?? "";
    // one that was replaced while it runs is another file of the same path
    return path === undefined ? baseName(found) === executable : found === path;
  };
  let places: readonly string[] | undefined;
  for (const said of new Set([first, first.split(" ", 1)[0] ?? ""])) { // redis-server *:6379
    const name = baseName(said).replace(/^-/, ""); // a login shell: login(1)
    if (name === "") continue;
    if (areVersions(name, executable)) return executable;
    if (said.includes("/")) {
      const working = said.startsWith("/") ? "" : seenInside(readProcLink(`${folder}/cwd`) ?? "");
      if (leads(`${working}/${said}`)) return name;
    }
    places ??= [
      ...(path === undefined ? [] : [seenInside(path).replace(/\/[^/]*$/, "")]),
      ...(readProcEnv(folder, "PATH") ?? PATH).split(":", MOST_PLACES)
        .filter((place) => place.startsWith("/")),
    ];
    if (places.some((place) => leads(`${place}/${name}`))) return name;
  }
  return undefined;
}

/** A root to follow paths in; undefined if we may not see it, or no descriptor is left. */
function openRoot(path: string): OpenFile | undefined {
  try {
    return openFile(path, O_PATH);
  } catch {
    return undefined;
  }
}

/** The path of an open file, as the kernel knows it: no part of it is a link. */
function pathOf({ fd }: OpenFile): string | undefined {
  return readProcLink(`self/fd/${fd}`);
}

/** The first argument that is no option, nor an option's value. */
function programOf(args: readonly string[]): string | undefined {
  for (let i = 1; i < args.length; i++) {
    const argument = args[i] ?? "";
    if (OPTIONS_WITH_VALUES.has(argument)) i++;
    else if (!argument.startsWith("-")) return argument;
  }
  return undefined;
}

function areVersions(one: string, other: string): boolean {
  const family = INTERPRETER.exec(one)?.[1];
  return one === other || family !== undefined && family === INTERPRETER.exec(other)?.[1];
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

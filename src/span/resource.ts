/** The resource of a span: the process that was observed, and its host. */
import type { Attributes } from "../../npm/opentelemetry/api.ts";
import { type Resource, resourceFromAttributes } from "../../npm/opentelemetry/resources.ts";
import {
  ATTR_CONTAINER_ID,
  ATTR_HOST_ID,
  ATTR_HOST_NAME,
  ATTR_K8S_POD_UID,
  ATTR_OS_TYPE,
  ATTR_PROCESS_COMMAND_LINE,
  ATTR_PROCESS_CREATION_TIME,
  ATTR_PROCESS_EXECUTABLE_NAME,
  ATTR_PROCESS_EXECUTABLE_PATH,
  ATTR_PROCESS_OWNER,
  ATTR_PROCESS_PID,
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
} from "../../npm/opentelemetry/semantic_conventions.ts";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type CgroupNames, parseCgroup2, parseCgroups } from "../host/cgroup.ts";
import { CgroupIndex } from "../host/cgroup_index.ts";
import { mergingWithOlder } from "./older_resource.ts";
import { ProcessTable } from "./process_table.ts";
import { machineId } from "../host/machine_id.ts";
import {
  bootId,
  isSameProcess,
  programFolder,
  readProc,
  readProcEnv,
  readProcLink,
} from "../host/procfs.ts";
import { runName } from "../host/run_name.ts";
import type { ScanBudget } from "../host/scan_budget.ts";
import { TEXT_LENGTH } from "../session/record_layout.ts";
import { formatRfc3339 } from "../bytes/rfc3339.ts";
import type { Session } from "../session/session.ts";

/** What a resource is made from, besides the process. */
export interface ResourceSettings {
  /** Attributes of every resource; they win over what was found. */
  readonly attributes: Attributes;
  /** Whether to report `process.command_line`, which may hold secrets. */
  readonly commandLine: boolean;
  /** Whether to take service.name from the observed process's own OTEL_SERVICE_NAME. */
  readonly fromProcessEnv: boolean;
}

// Characters of texts that processes choose without a limit: they are kept, and each span has them.
const LONGEST_NAME = 255;
const LONGEST_COMMAND_LINE = 4096;

const CAPACITY = 16_384; // processes remembered, about 1 kB each

/**
 * One resource object per process: serializers group spans by the object. What the kernel recorded
 * is enough to name a process that is gone; /proc adds to it while the process lives.
 */
export class ProcessResources {
  readonly #settings: ResourceSettings;
  readonly #host: Attributes;
  readonly #hostId: string;
  readonly #processes = new ProcessTable<Resource>(CAPACITY);
  readonly #users = new Map<number, string>();
  readonly #cgroups: CgroupIndex;
  #unknown: Resource | undefined;

  /** @param scans for those of cgroups */
  constructor(settings: ResourceSettings, scans?: ScanBudget) {
    this.#settings = settings;
    this.#cgroups = new CgroupIndex(scans);
    this.#host = hostAttributes();
    this.#hostId = String(this.#host[ATTR_HOST_ID] ?? bootId());
  }

  /** The resource of the process that owns `session`. */
  of(session: Session): Resource {
    if (session.ownerSource === "unknown") {
      return this.#unknown ??= this.#resource({ [ATTR_SERVICE_NAME]: "unknown_service" });
    }
    return this.#processes.get(session) ??
      this.#processes.add(session, this.#ofProcess(session, session.pid));
  }

  #ofProcess(session: Session, pid: number | undefined): Resource {
    const isAlive = pid !== undefined && isSameProcess(pid, session.processStartBootNs);
    const folder = isAlive ? programFolder(pid) : undefined;
    const cgroup = this.#cgroupOf(session, folder && readProc(`${folder}/cgroup`));
    const link = folder && readProcLink(`${folder}/exe`);
    const path = link && executablePath(link, session.executable);
    const executable = session.executable || (path && executableName(path)) || "";
    const created = session.processStartUnixNs;
    const commandLine = path && this.#settings.commandLine
      ? cut(readProc(`${folder}/cmdline`, LONGEST_COMMAND_LINE), LONGEST_COMMAND_LINE)
        ?.replaceAll("\0", " ").trim()
      : undefined;
    const ownName = folder && path && this.#settings.fromProcessEnv
      ? cut(readProcEnv(folder, "OTEL_SERVICE_NAME"), LONGEST_NAME)
      : undefined;
    const hasExecuted = link !== undefined && path === undefined; // something else meanwhile
    const { comm, uid } = session;
    const run = { executable, comm, uid, folder: hasExecuted ? undefined : folder, path };
    return this.#resource({
      [ATTR_SERVICE_NAME]: ownName ?? cgroup?.service ??
        (runName(run) || session.comm || "unknown_service"),
      [ATTR_SERVICE_INSTANCE_ID]: pid === undefined
        ? undefined
        : uuidV5(`${this.#hostId}/${pid}/${session.processStartBootNs}`),
      [ATTR_PROCESS_PID]: pid,
      [ATTR_PROCESS_EXECUTABLE_NAME]: executable || undefined,
      [ATTR_PROCESS_EXECUTABLE_PATH]: path || undefined,
      [ATTR_PROCESS_CREATION_TIME]: created === undefined ? undefined : formatRfc3339(created, 3),
      [ATTR_PROCESS_OWNER]: session.uid === undefined ? undefined : this.#userName(session.uid),
      [ATTR_PROCESS_COMMAND_LINE]: commandLine,
      [ATTR_CONTAINER_ID]: cgroup?.containerId,
      [ATTR_K8S_POD_UID]: cgroup?.podUid,
    });
  }

  /** @param text of the living process's `/proc/PID/cgroup` */
  #cgroupOf(session: Session, text: string | undefined): CgroupNames | undefined {
    if (text === undefined) return this.#cgroups.find(session.cgroupId);
    const names = parseCgroups(text);
    this.#cgroups.learn(session.cgroupId, parseCgroup2(text));
    return names;
  }

  #resource(attributes: Attributes): Resource {
    const found = Object.entries(attributes).filter(([, value]) => value !== undefined);
    return mergingWithOlder(resourceFromAttributes({
      ...Object.fromEntries(found),
      ...this.#host,
      ...this.#settings.attributes,
    }));
  }

  /** Name of a user, or its number if it has no name. */
  #userName(uid: number): string {
    if (!this.#users.has(uid)) {
      for (const line of (readFile("/etc/passwd") ?? "").split("\n")) {
        const [name, , id] = line.split(":");
        if (name !== undefined && id !== undefined) this.#users.set(Number(id), name);
      }
      if (!this.#users.has(uid)) this.#users.set(uid, String(uid));
    }
    return this.#users.get(uid) ?? String(uid);
  }
}

const UNNAMED = /^(?:\(none\))?$/; // the kernel's name for a host that nobody has named

/** What every resource says of this host. */
export function hostAttributes(): Attributes {
  const name = Deno.hostname();
  const id = machineId();
  return {
    ...(UNNAMED.test(name) ? {} : { [ATTR_HOST_NAME]: name }),
    ...(id === undefined ? {} : { [ATTR_HOST_ID]: id }),
    [ATTR_OS_TYPE]: "linux",
  };
}

/**
 * @param link target of /proc/PID/exe. @param name what the kernel recorded, perhaps cut or empty
 * @returns undefined if the process has executed something else since
 */
function executablePath(link: string, name: string): string | undefined {
  const cut = Buffer.byteLength(name) >= TEXT_LENGTH.exe - 1 ? name.replace(/\ufffd+$/, "") : "";
  // the kernel adds ` (deleted)` if no name is left, and a name may end like that
  return [link.replace(/ \(deleted\)$/, ""), link].find((path) => {
    const found = executableName(path);
    return name === "" || found === name || cut !== "" && found.startsWith(cut);
  });
}

/** What the kernel records of an executable: the last part of its path. */
function executableName(path: string): string {
  return path.startsWith("/memfd:") ? path.slice(1) : path.slice(path.lastIndexOf("/") + 1);
}

/** The first `most` UTF-16 code units, without half a character at the end. */
function cut(text: string | undefined, most: number): string | undefined {
  return text?.slice(0, most).replace(/[\ud800-\udbff]$/, "");
}

function readFile(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

const NAMESPACE = Uint8Array.fromHex("4d6b0e5d8f7c5a0c9a4e6d0f3e2b7c11"); // tcpspan's own

/** RFC 9562, section 5.5. */
function uuidV5(name: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(name).digest();
  hash[6] = (hash[6] ?? 0) & 0x0f | 0x50;
  hash[8] = (hash[8] ?? 0) & 0x3f | 0x80;
  return hash.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

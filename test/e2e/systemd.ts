/** A systemd for tests. */
import { Cgroup, run } from "../kernel/host.ts";
import { makeTempFolder } from "../temp_folder.ts";
import { denoFolder } from "./places.ts";
import { Process, until } from "./process.ts";
import { REPOSITORY } from "./tcpspan.ts";

// Arguments: the repository, Deno's folder, an empty one. The network stays that of the tests. What
// would change the host is read-only (sysctls, devices), and what it starts at boot stays off.
const BOOT = `
set -e
mount --make-rprivate /
bind() { mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; }
mount -t tmpfs tmpfs "$3"
mkdir "$3/upper" "$3/work" "$3/root"
mount -t overlay -o "lowerdir=/,upperdir=$3/upper,workdir=$3/work" overlay "$3/root"
cd "$3/root"
mkdir -p mnt/repository mnt/deno old
bind "$1" mnt/repository
bind "$2" mnt/deno
rm -rf etc/systemd/system/*.wants
mount -t proc proc proc
bind proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom; do
  touch dev/$device
  mount --bind /dev/$device dev/$device
done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . old
umount -l old
exec env -i PATH="$PATH" container=other /usr/lib/systemd/systemd --unit=basic.target
`;

/**
 * A systemd that is the first process of its own namespaces. Its files are the host's; what it
 * changes in them goes with it; /mnt/repository is the repository, /mnt/deno Deno's folder. It
 * ends, with everything that it started, when it is disposed of or the tests end.
 */
export class Systemd implements AsyncDisposable {
  #resources: AsyncDisposableStack;
  readonly #pid: number;

  private constructor(resources: AsyncDisposableStack, pid: number) {
    this.#resources = resources;
    this.#pid = pid;
  }

  /** Starts it, and waits until it takes commands. */
  static async boot(): Promise<Systemd> {
    await using resources = new AsyncDisposableStack();
    const { path } = resources.use(await makeTempFolder());
    const cgroup = new Cgroup();
    resources.defer(async () => {
      await until("the end of what systemd started", () => isRemoved(cgroup.path));
    });
    const process = resources.use(
      new Process([
        ...["setpriv", "--pdeathsig=KILL"] as const,
        ...["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup.path],
        ...["unshare", "--kill-child", "--fork", "--pid", "--mount", "--uts", "--ipc", "--cgroup"],
        ...["sh", "-c", BOOT, "sh", REPOSITORY, await denoFolder(), path],
      ]),
    );
    try {
      const children = `/proc/${process.pid}/task/${process.pid}/children`;
      const pid = await until("the start of a namespace", async () => {
        return Number(await Deno.readTextFile(children)) || false;
      });
      const systemd = new Systemd(resources, pid);
      await until("the start of systemd", () => systemd.#hasStarted());
      systemd.#resources = resources.move();
      return systemd;
    } catch (error) { // also if it has ended
      const { stdout, stderr } = await process.stop("SIGKILL");
      throw new Error(`cannot start systemd: ${stdout}${stderr}`, { cause: error });
    }
  }

  /** Runs a script there, as root, to its end. */
  async try(script: string): Promise<{ status: number; stdout: string; stderr: string }> {
    await using process = new Process(this.#inside(script));
    return await process.end();
  }

  /** Runs a script there, as root, which must succeed. @returns what it wrote to stdout */
  async run(script: string): Promise<string> {
    const [command, ...args] = this.#inside(`set -e; ${script}`);
    return await run(command, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  /** @throws {Deno.errors.NotFound} if it has ended */
  async #hasStarted(): Promise<boolean> {
    await Deno.stat(`/proc/${this.#pid}/root`);
    const { stdout } = await this.try("test -e /mnt/repository && systemctl is-system-running");
    return /^(running|degraded)$/m.test(stdout);
  }

  #inside(script: string): [string, ...string[]] {
    return ["nsenter", `--target=${this.#pid}`, "--all", "bash", "-c", script];
  }
}

/** Removes a cgroup and those below it; false while a process is in one. */
function isRemoved(path: string): boolean {
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory && !isRemoved(`${path}/${name}`)) return false;
  }
  try {
    Deno.removeSync(path); // its files cannot be removed, and need not
    return true;
  } catch {
    return false;
  }
}

/** Places in which tcpspan can't trace, or lacks something. */
import { REPOSITORY } from "./tcpspan.ts";

/** What stands in front of a command, to run it in another place. */
export type Inside = readonly [string, ...string[]];

/**
 * A new mount namespace, prepared by shell commands. /mnt is a new tmpfs there, and the
 * command keeps its process id.
 */
export function inMounts(setup: string, ...run: readonly string[]): Inside {
  const script = `set -e\nmount -t tmpfs tmpfs /mnt\n${setup}\nexec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...run];
}

/**
 * User 65534, in a clone where root ran `deno install` as setup.sh does.
 * @param capabilities what the user has, in setpriv's names, also in programs that it executes
 */
export async function asNobody(capabilities: readonly string[] = []): Promise<Inside> {
  const these = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
  return inMounts(
    `
    mkdir -p /mnt/repository /mnt/deno/npm /mnt/upper /mnt/work
    mount --bind '${REPOSITORY}' /mnt/repository
    mount -t overlay -o 'lowerdir=${await denoFolder()}/npm,upperdir=/mnt/upper,workdir=/mnt/work' \
      overlay /mnt/deno/npm
    export DENO_DIR=/mnt/deno
    cd /mnt/repository
    '${Deno.execPath()}' install --quiet --frozen --entrypoint mod.ts
    `,
    ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"],
    ...["--bounding-set", "--inh-caps", "--ambient-caps"].map((set) => `${set}=${these}`),
  );
}

/** Root without any capability, as in a container. */
export const WITHOUT_CAPABILITIES: Inside = [
  "setpriv",
  ...["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"],
];

/** Without the kernel's type information. */
export const WITHOUT_BTF = inMounts("mount -t tmpfs tmpfs /sys/kernel/btf");

/** A kernel that reports another release. */
export function onRelease(release: string): Inside {
  return inMounts(`
    echo '${release}' >/mnt/osrelease
    mount --bind /mnt/osrelease /proc/sys/kernel/osrelease
  `);
}

/** A kernel without a tracepoint: its type information has it under another name. */
export function withoutTracepoint(name: string): Inside {
  const bytes = Deno.readFileSync("/sys/kernel/btf/vmlinux");
  const type = new TextEncoder().encode(`\0btf_trace_${name}\0`);
  const at = indexOf(bytes, type);
  if (at === -1) throw new Error(`this kernel has no tracepoint ${name}: use a later one`);
  return inMounts(`
    cat /sys/kernel/btf/vmlinux >/mnt/vmlinux
    printf X | dd of=/mnt/vmlinux bs=1 seek=${at + 1} conv=notrunc status=none
    mount -t tmpfs tmpfs /sys/kernel/btf
    cat /mnt/vmlinux >/sys/kernel/btf/vmlinux
  `);
}

/** Makes the folder of libbpf writable in this namespace alone; `$lib` is its path. */
const OWN_LIBRARIES = `
  lib=$(dirname "$(ldconfig -p | sed -n 's/.*libbpf\\.so\\.1 .* => //p' | head -n 1)")
  mkdir /mnt/upper /mnt/work
  mount -t overlay -o "lowerdir=$lib,upperdir=/mnt/upper,workdir=/mnt/work" overlay "$lib"
`;

export const WITHOUT_LIBBPF = inMounts(`${OWN_LIBRARIES} rm "$lib"/libbpf.so.1*`);

export const WITH_LIBBPF_0 = inMounts(`
  ${OWN_LIBRARIES}
  mv "$(readlink -f "$lib/libbpf.so.1")" "$lib/libbpf.so.0"
  rm -f "$lib"/libbpf.so.1*
`);

/** Neither tracefs, nor debugfs, nor bpffs, wherever they were mounted. */
export const WITHOUT_TRACEFS = inMounts(`
  awk '$3 == "tracefs" || $3 == "debugfs" || $3 == "bpf" { print $2 }' /proc/mounts |
    while read -r folder; do umount --lazy "$folder" || :; done
  ! grep -E ' (tracefs|debugfs|bpf) ' /proc/mounts >&2
`);

/** No /proc, apart from what Deno itself needs to start. */
export const WITHOUT_PROC = inMounts(`
  mount -t tmpfs tmpfs /proc
  mkdir /proc/self
  ln -s '${Deno.execPath()}' /proc/self/exe
`);

/** A folder that nobody can write to, not even root. */
export function withReadOnly(folder: string): Inside {
  return inMounts(`
    mount --bind '${folder}' '${folder}'
    mount -o remount,bind,ro '${folder}'
  `);
}

/** Where Deno keeps the packages that it has downloaded. */
export async function denoFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir }: { denoDir: string } = JSON.parse(new TextDecoder().decode(stdout));
  return denoDir;
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  const [first = 0] = part;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (part.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

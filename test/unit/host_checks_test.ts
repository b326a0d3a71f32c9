/** What doctor says about the contents of the kernel's files. */
import assert from "node:assert/strict";
import { checkBpfFileSystem } from "../../src/host/bpf_file_system.ts";
import { checkCgroup2 } from "../../src/host/cgroup2.ts";
import type { HostCheck } from "../../src/host/check.ts";
import { checkJit } from "../../src/host/jit.ts";
import { checkKernel } from "../../src/host/kernel_release.ts";
import { checkLockdown } from "../../src/host/lockdown.ts";
import { parseMounts } from "../../src/host/mounts.ts";
import { checkObjectFile } from "../../src/host/object_file.ts";
import { checkOpenFiles } from "../../src/host/open_files.ts";
import { checkProcessVisibility } from "../../src/host/process_visibility.ts";
import { checkSeccompFilter } from "../../src/host/seccomp_filter.ts";
import { checkUserNamespace } from "../../src/host/user_namespace.ts";
import { makeTempFolder } from "../temp_folder.ts";

const MOUNTS = parseMounts(`\
24 1 253:0 / / rw,relatime - ext4 /dev/root rw
25 24 0:22 / /proc rw,nosuid shared:12 - proc proc rw,hidepid=invisible
26 24 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate
27 24 0:24 / /mnt/with\\040space rw - bpf bpf rw,mode=700
`);
const procWith = (options: string) => parseMounts(`25 24 0:22 / /proc rw - proc proc ${options}\n`);

type Row = readonly [
  what: string,
  check: HostCheck,
  result: HostCheck["result"],
  found: RegExp,
  advice?: RegExp,
];

const CHECKS: readonly Row[] = [
  ["Linux 5.11", checkKernel("5.11.0"), "ok", /^Linux 5\.11\.0$/],
  ["Linux 6.1", checkKernel("6.1.0-18-amd64"), "ok", /^Linux 6\.1\.0-18-amd64$/],
  ["Linux 10.0", checkKernel("10.0.1"), "ok", /^Linux 10/],
  ["Linux 5.10", checkKernel("5.10.262"), "no", /5\.10\.262 is too old/, /5\.11 or later/],
  ["a release that is none", checkKernel("gVisor"), "no", /gVisor is too old/, /5\.11/],

  ["no lockdown", checkLockdown(undefined), "ok", /^no \/sys\/kernel\/security\/lockdown$/],
  ["lockdown none", checkLockdown("[none] integrity confidentiality\n"), "ok", /^none$/],
  ["integrity", checkLockdown("none [integrity] confidentiality\n"), "ok", /^integrity$/],
  [
    "confidentiality",
    checkLockdown("none integrity [confidentiality]\n"),
    "no",
    /^confidentiality: /,
    /lockdown=integrity/,
  ],

  ["the JIT on", checkJit("1\n", "5.15.0"), "ok", /^on$/],
  ["the JIT on, for debugging", checkJit("2\n", "5.15.0"), "ok", /^on$/],
  ["an unknown JIT", checkJit(undefined, "5.15.0"), "ok", /^unknown/],
  ["the JIT off in 5.19", checkJit("0\n", "5.19.1"), "without", /^off$/, /bpf_jit_enable=1/],
  [
    "the JIT off in 5.18",
    checkJit("0\n", "5.18.19"),
    "no",
    /interpreter of Linux 5\.18\.19 gives wrong rows/,
    /bpf_jit_enable=1; or use Linux 5\.19 or later/,
  ],

  ["the host's user namespace", checkUserNamespace("user:[4026531837]", false), "ok", /^the host/],
  ["an unknown user namespace", checkUserNamespace(undefined, false), "ok", /^unknown/],
  [
    "a user namespace in which nothing loads",
    checkUserNamespace("user:[4026532281]", false),
    "no",
    /^not the host's$/,
    /do not count for BPF.*--userns=host/,
  ],
  [
    "a user namespace in which BPF works all the same (a BPF token)",
    checkUserNamespace("user:[4026532281]", true),
    "ok",
    /BPF works in it/,
  ],

  ["no seccomp filter", checkSeccompFilter("Seccomp:\t0\n", false), "ok", /^none$/],
  ["no status", checkSeccompFilter(undefined, false), "ok", /^unknown/],
  ["a filter that lets BPF", checkSeccompFilter("a\nSeccomp:\t2\n", false), "ok", /through$/],
  [
    "a filter that refuses BPF",
    checkSeccompFilter("Name:\tdeno\nSeccomp:\t2\nSeccomp_filters:\t1\n", true),
    "no",
    /refuses bpf\(2\)/,
    /--cap-add=BPF,PERFMON/,
  ],
  ["a refusal without a filter", checkSeccompFilter("Seccomp:\t0\n", true), "ok", /^none$/],

  ["cgroup v2", checkCgroup2(MOUNTS), "ok", /^\/sys\/fs\/cgroup$/],
  ["no cgroup v2", checkCgroup2([]), "without", /^not mounted$/, /container\.id.*mount -t/],
  ["no /proc for it", checkCgroup2(undefined), "without", /^unknown/, /container\.id/],

  ["bpffs", checkBpfFileSystem(MOUNTS), "ok", /^\/mnt\/with space$/],
  ["no bpffs, and no pin", checkBpfFileSystem([]), "ok", /only capture\.pin needs one/],

  ["an open /proc", checkProcessVisibility(procWith("rw"), false), "ok", /all processes/],
  ["hidepid=0", checkProcessVisibility(procWith("rw,hidepid=0"), false), "ok", /all processes/],
  ["hidepid=off", checkProcessVisibility(procWith("rw,hidepid=off"), false), "ok", /all processes/],
  [
    "hidepid=invisible",
    checkProcessVisibility(MOUNTS, false),
    "without",
    /invisible/,
    /SYS_PTRACE/,
  ],
  [
    "hidepid=2",
    checkProcessVisibility(procWith("hidepid=2"), false),
    "without",
    /=2/,
    /other users/,
  ],
  ["hidepid with CAP_SYS_PTRACE", checkProcessVisibility(MOUNTS, true), "ok", /all processes/],
  [
    "subset=pid",
    checkProcessVisibility(procWith("subset=pid"), true),
    "without",
    /subset/,
    /ports/,
  ],
  [
    "no /proc",
    checkProcessVisibility(undefined, true),
    "without",
    /^not mounted$/,
    /no process id/,
  ],

  ["files enough", checkOpenFiles(64, 1024), "ok", /^at most 1024$/],
  [
    "too few files",
    checkOpenFiles(3, 25),
    "no",
    /at most 25, of which 3 are left/,
    /ulimit -n 1024/,
  ],

  ["the kernel program", checkObjectFile(), "ok", /bpf\/tcpspan\.bpf\.o$/],
  [
    "no kernel program",
    checkObjectFile(new URL("file:///nowhere/tcpspan.bpf.o")),
    "no",
    /^cannot read \/nowhere\/tcpspan\.bpf\.o: No such file or directory$/,
    /deno task generate/,
  ],
];

for (const [what, check, result, found, advice] of CHECKS) {
  Deno.test(`doctor on ${what}: ${result}`, () => {
    assert.equal(check.result, result);
    assert.match(check.found, found);
    if (advice === undefined) assert.equal(check.advice, undefined);
    else assert.match(check.advice ?? "", advice);
  });
}

Deno.test("doctor on a Git LFS pointer in place of the kernel program: no", async () => {
  await using folder = await makeTempFolder();
  const file = new URL(`file://${folder.path}/tcpspan.bpf.o`);
  await Deno.writeTextFile(file, "version https://git-lfs.github.com/spec/v1\n");
  const { result, found } = checkObjectFile(file);
  assert.equal(result, "no");
  assert.match(found, /is not an ELF file$/);
});

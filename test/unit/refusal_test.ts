/** What a refusal of the kernel means: tcpspan's advice in place of libbpf's. */
import assert from "node:assert/strict";
import { LibbpfError, tellingLines } from "../../ffi/libbpf.ts";
import { hostError, splitAdvice } from "../../src/host/host_error.ts";
import { explainRefusal, type RefusedHost } from "../../src/host/refusal.ts";

const HOST: RefusedHost = {
  release: "6.1.0",
  missing: [],
  userNamespace: false,
  filtered: false,
  lockdown: undefined,
};
const REFUSED = ["cannot load the BPF program: Operation not permitted"];
const LOAD_FAILED = "prog 'set_state': BPF program load failed: Invalid argument";

const [EPERM, ENOENT, ESRCH, E2BIG, ENOMEM, EACCES] = [1, 2, 3, 7, 12, 13];
const [EBUSY, EINVAL, ENFILE, EMFILE, ENOSYS] = [16, 22, 23, 24, 38];

const REFUSALS: readonly [
  what: string,
  errno: number | undefined,
  lines: readonly string[],
  host: Partial<RefusedHost>,
  advice: readonly RegExp[],
][] = [
  ["EPERM without capabilities", EPERM, REFUSED, { missing: ["CAP_BPF", "CAP_PERFMON"] }, [
    /^give this process CAP_BPF and CAP_PERFMON, or run it as root; kernel\.unprivileged_bpf_disabled/,
  ]],
  ["EPERM in a user namespace", EPERM, REFUSED, { userNamespace: true }, [/user namespace.*root/]],
  ["EPERM below a seccomp filter", EPERM, REFUSED, { filtered: true }, [/seccomp profile allow/]],
  ["EPERM with both", EPERM, REFUSED, { userNamespace: true, filtered: true }, [
    /user namespace/,
    /seccomp/,
  ]],
  ["EPERM under lockdown", EPERM, REFUSED, { lockdown: "confidentiality" }, [/lockdown=integrity/]],
  ["EPERM under the weaker lockdown", EPERM, REFUSED, { lockdown: "integrity" }, [
    /security module.*Linux 6\.1\.0.*dmesg$/,
  ]],
  ["EPERM without a reason that is known", EPERM, REFUSED, {}, [/security module/]],
  ["ENOSYS below a seccomp filter", ENOSYS, [], { filtered: true }, [/seccomp profile allow/]],
  ["ENOSYS", ENOSYS, [], {}, [/CONFIG_BPF_SYSCALL/]],
  [
    "a helper that lockdown takes away",
    EINVAL,
    [LOAD_FAILED, "unknown func bpf_probe_read_kernel#113"],
    { lockdown: "confidentiality" },
    [/^kernel lockdown .* forbids .*lockdown=integrity/],
  ],
  [
    "a helper that lockdown takes away, where the kernel does not show it",
    EINVAL,
    [LOAD_FAILED, "program of this type cannot use helper bpf_probe_read_kernel#113"],
    {},
    [/^kernel lockdown/],
  ],
  [
    "a helper that something else takes away",
    EINVAL,
    [LOAD_FAILED, "unknown func bpf_probe_read_kernel#113"],
    { lockdown: "none" },
    [/^the verifier of Linux/],
  ],
  ["a verifier's refusal", EINVAL, [LOAD_FAILED, "infinite loop detected at insn 1260"], {}, [
    /^the verifier of Linux 6\.1\.0 refuses .*report it with these lines/,
  ]],
  ["a verifier's EACCES", EACCES, [LOAD_FAILED, "R1 invalid mem access 'scalar'"], {}, [
    /^the verifier of Linux/,
  ]],
  ["EACCES of who may not", EACCES, ["cannot attach send: Permission denied"], {}, [
    /security mod/,
  ]],
  [
    "a program that is too complex",
    E2BIG,
    [LOAD_FAILED, "BPF program is too large. Processed 1000001 insn"],
    {},
    [/gave up.*use a later kernel$/],
  ],
  ["a map that is too large", E2BIG, ["map 'ring': failed to create: …(-7)"], {}, [/ring_buffer/]],
  ["ENOMEM", ENOMEM, ["cannot load the BPF program: Cannot allocate memory"], {}, [/ring_buffer/]],
  ["EMFILE", EMFILE, [], {}, [/^too many files are open: .*ulimit -n 1024/]],
  ["ENFILE", ENFILE, [], {}, [/^too many files are open/]],
  ["no BTF", ESRCH, ["Error loading vmlinux BTF: -3"], {}, [/CONFIG_DEBUG_INFO_BTF=y/]],
  ["no BTF, said otherwise", ENOENT, ["failed to find valid kernel BTF"], {}, [/DEBUG_INFO_BTF/]],
  ["what is not known", EBUSY, ["cannot attach send: Device or resource busy"], {}, []],
  ["what has no errno", undefined, ["cannot find the map x in the BPF object"], {}, []],
];

for (const [what, errno, lines, host, expected] of REFUSALS) {
  Deno.test(`${what}: its own advice`, () => {
    const advice = explainRefusal({ errno, lines }, { ...HOST, ...host });
    assert.equal(advice.length, expected.length, advice.join("\n"));
    expected.forEach((pattern, i) => assert.match(advice[i] ?? "", pattern));
  });
}

Deno.test("libbpf's lines that say why are kept, and none that suggests ulimit -l", () => {
  assert.deepEqual(
    tellingLines([
      "prog 'count_open': BPF program load failed: Operation not permitted",
      "permission error while running as root; try raising 'ulimit -l'? current value: 8.0 MiB",
      "Failed to bump RLIMIT_MEMLOCK (err = -1), you might need to do it explicitly!",
      "prog 'count_open': -- BEGIN PROG LOAD LOG --",
      "; if (sk == NULL) @ tcpspan.bpf.c:12",
      "12: (15) if r1 == 0x0 goto pc+3",
      "R1 invalid mem access 'scalar'",
      "processed 13 insns (limit 1000000) max_states_per_insn 0",
      "-- END PROG LOAD LOG --",
      "prog 'count_open': failed to load: -13",
      "failed to load object '560b2fe1d8f0-43a88'",
    ]),
    [
      "prog 'count_open': BPF program load failed: Operation not permitted",
      "R1 invalid mem access 'scalar'",
    ],
  );
});

Deno.test("a HostError has the finding and the advice on separate lines, which can be split again", () => {
  const said =
    "cannot load the BPF program: Cannot allocate memory\n  map 'ring': failed to create";
  const { message, cause } = hostError(new LibbpfError(said, { errno: ENOMEM }));
  assert.ok(cause instanceof LibbpfError);
  assert.match(message, /^cannot load .*\n {2}map 'ring'.*\n {2}-> there is not enough memory/);
  const { found, advice } = splitAdvice(message);
  assert.equal(found, said);
  assert.match(advice ?? "", /^there is not enough memory/);
  assert.deepEqual(splitAdvice("cannot"), { found: "cannot" });
});

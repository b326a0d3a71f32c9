/** System calls given up for good, by all threads of this process: seccomp(2) through libseccomp. */
import { SystemError, toCString } from "./libc.ts";

const symbols = {
  /** `scmp_filter_ctx seccomp_init(uint32_t def_action)` */
  seccomp_init: { parameters: ["u32"], result: "pointer" },
  /** `int seccomp_attr_set(scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t value)` */
  seccomp_attr_set: { parameters: ["pointer", "i32", "u32"], result: "i32" },
  /** `int seccomp_syscall_resolve_name(const char *name)` */
  seccomp_syscall_resolve_name: { parameters: ["buffer"], result: "i32" },
  /**
   * `int seccomp_rule_add_array(scmp_filter_ctx ctx, uint32_t action, int syscall,
   * unsigned int arg_cnt, const struct scmp_arg_cmp *arg_array)`
   */
  seccomp_rule_add_array: {
    parameters: ["pointer", "u32", "i32", "u32", "buffer"],
    result: "i32",
  },
  /** `int seccomp_load(const scmp_filter_ctx ctx)` */
  seccomp_load: { parameters: ["pointer"], result: "i32" },
  /** `void seccomp_release(scmp_filter_ctx ctx)` */
  seccomp_release: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libseccomp = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Opens the library. @throws {TypeError} if there is none */
export function openLibseccomp(): Libseccomp {
  return Deno.dlopen("libseccomp.so.2", symbols).symbols;
}

// include/seccomp.h
const ALLOW = 0x7fff0000;
const EPERM_INSTEAD = 0x00050001;
const FILTER_OF_ALL_THREADS = 4; // SCMP_FLTATR_CTL_TSYNC
const NO_SUCH_CALL = -1; // to this libseccomp
const EQUAL = 4;
const AT_LEAST = 5;

/** A system call that is refused. */
export interface DeniedCall {
  readonly name: string;
  /** Values of its first argument with which it still works, below 64; none by default. */
  readonly except?: readonly number[];
}

/**
 * From now on each of `calls` fails with EPERM, in all threads, also later ones, and no new program
 * gets more privileges than this one (no_new_privs). There is no way back.
 * @throws {SystemError} if the kernel refuses
 * @throws {TypeError} if there is no libseccomp
 */
export function denySystemCalls(calls: readonly DeniedCall[]): void {
  const library = openLibseccomp();
  const filter = library.seccomp_init(ALLOW);
  try {
    unwrap(library.seccomp_attr_set(filter, FILTER_OF_ALL_THREADS, 1));
    for (const call of calls) deny(library, filter, call);
    unwrap(library.seccomp_load(filter));
  } finally {
    library.seccomp_release(filter);
  }
}

function deny(library: Libseccomp, filter: Deno.PointerValue, { name, except }: DeniedCall): void {
  const number = library.seccomp_syscall_resolve_name(toCString(name));
  if (number === NO_SUCH_CALL) return; // newer than the library
  const add = (count: number, comparison: BufferSource) =>
    unwrap(library.seccomp_rule_add_array(filter, EPERM_INSTEAD, number, count, comparison));
  if (except === undefined) return add(0, new Uint8Array());
  const largest = Math.max(...except);
  for (let value = 0; value < largest; value++) {
    if (!except.includes(value)) add(1, comparison(EQUAL, value));
  }
  // compares 64 bits, so that a value cannot hide behind bits that the kernel would cut off
  add(1, comparison(AT_LEAST, largest + 1));
}

/** `struct scmp_arg_cmp` on argument 0: unsigned int arg, enum op, u64 a, u64 b. */
function comparison(operator: number, value: number): BufferSource {
  const view = new DataView(new ArrayBuffer(24));
  view.setInt32(4, operator, true);
  view.setBigUint64(8, BigInt(value), true);
  return view;
}

/** libseccomp returns a negative errno on failure. */
function unwrap(code: number): void {
  if (code < 0) throw new SystemError("cannot give up system calls", -code);
}

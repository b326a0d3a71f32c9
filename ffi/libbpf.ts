/** libbpf 1.x: its symbols, and its messages. */
import { cString, errorText, libc } from "./libc.ts";

const symbols = {
  /** `const char *libbpf_version_string(void)` */
  libbpf_version_string: { parameters: [], result: "pointer" },
  /** `libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t fn)` */
  libbpf_set_print: { parameters: ["function"], result: "pointer" },
  /** `struct bpf_object *bpf_object__open_mem(const void *buf, size_t size, const struct bpf_object_open_opts *opts)` */
  bpf_object__open_mem: { parameters: ["buffer", "u64", "buffer"], result: "pointer" },
  /** `int bpf_object__load(struct bpf_object *obj)` */
  bpf_object__load: { parameters: ["pointer"], result: "i32" },
  /** `void bpf_object__close(struct bpf_object *obj)` */
  bpf_object__close: { parameters: ["pointer"], result: "void" },
  /** `struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *obj, const char *name)` */
  bpf_object__find_map_by_name: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** `struct bpf_program *bpf_object__find_program_by_name(const struct bpf_object *obj, const char *name)` */
  bpf_object__find_program_by_name: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** `int bpf_program__set_autoload(struct bpf_program *prog, bool autoload)` */
  bpf_program__set_autoload: { parameters: ["pointer", "bool"], result: "i32" },
  /** `struct bpf_link *bpf_program__attach(const struct bpf_program *prog)` */
  bpf_program__attach: { parameters: ["pointer"], result: "pointer" },
  /** `struct bpf_link *bpf_program__attach_iter(const struct bpf_program *prog, const struct bpf_iter_attach_opts *opts)` */
  bpf_program__attach_iter: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** `int bpf_link__fd(const struct bpf_link *link)` */
  bpf_link__fd: { parameters: ["pointer"], result: "i32" },
  /** `int bpf_iter_create(int link_fd)` */
  bpf_iter_create: { parameters: ["i32"], result: "i32" },
  /** `int bpf_program__fd(const struct bpf_program *prog)` */
  bpf_program__fd: { parameters: ["pointer"], result: "i32" },
  /** `int bpf_link__destroy(struct bpf_link *link)` */
  bpf_link__destroy: { parameters: ["pointer"], result: "i32" },
  /** `int bpf_map__fd(const struct bpf_map *map)` */
  bpf_map__fd: { parameters: ["pointer"], result: "i32" },
  /** `int bpf_map__set_max_entries(struct bpf_map *map, __u32 max_entries)` */
  bpf_map__set_max_entries: { parameters: ["pointer", "u32"], result: "i32" },
  /** `__u32 bpf_map__max_entries(const struct bpf_map *map)` */
  bpf_map__max_entries: { parameters: ["pointer"], result: "u32" },
  /** `int bpf_map__reuse_fd(struct bpf_map *map, int fd)` */
  bpf_map__reuse_fd: { parameters: ["pointer", "i32"], result: "i32" },
  /**
   * `int bpf_map_create(enum bpf_map_type map_type, const char *map_name, __u32 key_size,
   * __u32 value_size, __u32 max_entries, const struct bpf_map_create_opts *opts)`
   */
  bpf_map_create: {
    parameters: ["u32", "pointer", "u32", "u32", "u32", "pointer"],
    result: "i32",
  },
  /** `int bpf_obj_pin(int fd, const char *pathname)` */
  bpf_obj_pin: { parameters: ["i32", "buffer"], result: "i32" },
  /** `int bpf_obj_get(const char *pathname)` */
  bpf_obj_get: { parameters: ["buffer"], result: "i32" },
  /** `void *bpf_map__initial_value(struct bpf_map *map, size_t *psize)` */
  bpf_map__initial_value: { parameters: ["pointer", "buffer"], result: "pointer" },
  /** `int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)` */
  bpf_map_update_elem: { parameters: ["i32", "buffer", "buffer", "u64"], result: "i32" },
  /** `int bpf_map_lookup_elem(int fd, const void *key, void *value)` */
  bpf_map_lookup_elem: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  /**
   * `int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values,
   * __u32 *count, const struct bpf_map_batch_opts *opts)`
   */
  bpf_map_lookup_batch: {
    parameters: ["i32", "buffer", "buffer", "buffer", "buffer", "buffer", "pointer"],
    result: "i32",
  },
  /** `int bpf_map_delete_elem(int fd, const void *key)` */
  bpf_map_delete_elem: { parameters: ["i32", "buffer"], result: "i32" },
  /** `int bpf_obj_get_info_by_fd(int bpf_fd, void *info, __u32 *info_len)` */
  bpf_obj_get_info_by_fd: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  /** `struct btf *btf__load_vmlinux_btf(void)` */
  btf__load_vmlinux_btf: { parameters: [], result: "pointer" },
  /** `struct btf *bpf_object__btf(const struct bpf_object *obj)` */
  bpf_object__btf: { parameters: ["pointer"], result: "pointer" },
  /** `void btf__free(struct btf *btf)` */
  btf__free: { parameters: ["pointer"], result: "void" },
  /** `__s32 btf__find_by_name_kind(const struct btf *btf, const char *type_name, __u32 kind)` */
  btf__find_by_name_kind: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  /** `const struct btf_type *btf__type_by_id(const struct btf *btf, __u32 id)` */
  btf__type_by_id: { parameters: ["pointer", "u32"], result: "pointer" },
  /** `__s64 btf__resolve_size(const struct btf *btf, __u32 type_id)` */
  btf__resolve_size: { parameters: ["pointer", "u32"], result: "i64" },
  /** `const char *btf__name_by_offset(const struct btf *btf, __u32 offset)` */
  btf__name_by_offset: { parameters: ["pointer", "u32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The library's functions. */
export type Libbpf = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** libbpf is missing, too old, or refused a call. */
export class LibbpfError extends Error {
  override readonly name: string = "LibbpfError";
  /** Positive, if the kernel refused. */
  readonly errno: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly errno?: number } = {}) {
    super(message, options);
    this.errno = options.errno;
  }
}

/** The kernel refused a program, or libbpf could not fit it to the kernel. */
export class RefusedProgram extends LibbpfError {
  override readonly name = "RefusedProgram";

  /**
   * @param errno positive
   * @param program its name in the object
   * @param reason the system's own words
   */
  constructor(message: string, errno: number, readonly program: string, readonly reason: string) {
    super(message, { errno });
  }
}

let opened: Libbpf | undefined;

/** libbpf 1.x, opened at the first call. @throws {LibbpfError} if there is none */
export function libbpf(): Libbpf {
  return opened ??= open();
}

function open(): Libbpf {
  try {
    return Deno.dlopen("libbpf.so.1", symbols).symbols;
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const detail = cause.message
      .replace(/^(Could not open library: )+(libbpf\.so\.1: )?/, "");
    if (hasLibrary("libbpf.so.0")) {
      throw new LibbpfError(
        "cannot use libbpf: found version 0.x (libbpf.so.0), tcpspan needs 1.0 or later; " +
          "install the package libbpf1, or run ./setup.sh",
        { cause },
      );
    }
    throw new LibbpfError(
      `cannot load libbpf.so.1: ${detail}; install the package libbpf1, or run ./setup.sh`,
      { cause },
    );
  }
}

function hasLibrary(name: string): boolean {
  try {
    Deno.dlopen(name, {}).close();
    return true;
  } catch {
    return false;
  }
}

const WARN = 0; // enum libbpf_print_level

/**
 * Collects what libbpf prints while it lives, instead of letting it write to stderr. No other place
 * explains a failed load (the verifier's log).
 */
export class LibbpfMessages implements Disposable {
  readonly lines: string[] = [];
  readonly #callback = new Deno.UnsafeCallback(
    { parameters: ["u32", "pointer", "pointer"], result: "i32" },
    (level, format, values) => {
      if (level !== WARN) return 0;
      const text = new Uint8Array(64 * 1024);
      // va_list is an array on x86-64 and a structure passed by address on arm64: a pointer on both
      const length = libc().vsnprintf(text, BigInt(text.length), format, values);
      const kept = text.subarray(0, Math.min(length, text.length - 1));
      for (const line of new TextDecoder().decode(kept).split("\n")) {
        const trimmed = line.replace(/^libbpf: /, "").trimEnd();
        if (trimmed !== "") this.lines.push(trimmed);
      }
      return length;
    },
  );

  constructor() {
    libbpf().libbpf_set_print(this.#callback.pointer);
  }

  /** The program that could not be loaded; undefined if it was something else. */
  refusedProgram(): string | undefined {
    for (const line of this.lines) {
      const [, program] = /^prog '(\w+)': (?:BPF program load failed|failed to load|relo #)/
        .exec(line) ?? [];
      if (program !== undefined) return program;
    }
    return undefined;
  }

  /**
   * The last lines that say why something failed, the verifier's and libbpf's own. All but the
   * first are indented by two spaces.
   */
  summary(): string {
    return tellingLines(this.lines).slice(-6).join("\n  ");
  }

  [Symbol.dispose](): void {
    libbpf().libbpf_set_print(null);
    this.#callback.close();
  }
}

// the program's listing, and what libbpf adds to the reason of each failure
const SAYS_NOTHING = [
  /^\d+: |^; |^from \d+|^R\d+[_=]/,
  /^processed \d+ insns/,
  /^(prog '.*': )?-- (BEGIN|END) PROG LOAD LOG --/,
  /^prog '.*': failed to load: -\w+$/,
  /^failed to load object '.*'$/,
  // about locked memory, which only kernels before 5.11 count: libbpf says it at every refusal
  /try raising 'ulimit -l'|RLIMIT_MEMLOCK/,
  /Retrying without BTF\.$/,
];

/** The lines that say why something failed. */
export function tellingLines(lines: readonly string[]): string[] {
  return lines.filter((line) => !SAYS_NOTHING.some((pattern) => pattern.test(line)));
}

/** What failed, with the system's words and the lines that say why. @param errno positive */
export function libbpfFailure(
  attempt: string,
  errno: number,
  messages: LibbpfMessages,
): LibbpfError {
  const summary = messages.summary();
  const message = `${attempt}: ${errorText(errno)}`;
  return new LibbpfError(summary === "" ? message : `${message}\n  ${summary}`, { errno });
}

/** Version of the library that is loaded, as `v1.1`. */
export function libbpfVersion(): string {
  return cString(libbpf().libbpf_version_string());
}

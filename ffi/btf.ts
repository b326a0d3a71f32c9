/** Type information (BTF) of the running kernel and of object files. */
import { libbpf, LibbpfError, libbpfFailure, LibbpfMessages } from "./libbpf.ts";
import { cString, lastErrno, toCString } from "./libc.ts";

// include/uapi/linux/btf.h
const KIND = { INT: 1, ARRAY: 3, STRUCT: 4, ENUM: 6, TYPEDEF: 8, VAR: 14, DATASEC: 15 } as const;

/** A member of a structure. */
export interface Member {
  readonly name: string;
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** Bytes; of an array, those of all its elements. */
  readonly size: number;
  /** Name of the structure that the member is, if it is one. */
  readonly struct: string | undefined;
}

/** A view on a `struct btf`. */
export class Btf implements Disposable {
  #handle: Deno.PointerObject | null;
  readonly #owned: boolean;

  private constructor(handle: Deno.PointerObject, owned: boolean) {
    this.#handle = handle;
    this.#owned = owned;
  }

  /** The running kernel's, from /sys/kernel/btf/vmlinux. @throws {LibbpfError} if it has none */
  static kernel(): Btf {
    using messages = new LibbpfMessages();
    const handle = libbpf().btf__load_vmlinux_btf();
    if (handle === null) {
      throw libbpfFailure("cannot read the kernel's BTF", lastErrno(), messages);
    }
    return new Btf(handle, true);
  }

  /** The BTF of an opened `struct bpf_object`, which must outlive it. */
  static ofObject(object: Deno.PointerObject): Btf {
    const handle = libbpf().bpf_object__btf(object);
    if (handle === null) throw new LibbpfError("cannot find BTF in the BPF object");
    return new Btf(handle, false);
  }

  /** Whether the kernel has the tracepoint `name` for `tp_btf` programs. */
  hasTracepoint(name: string): boolean {
    return this.#find(`btf_trace_${name}`, KIND.TYPEDEF) > 0;
  }

  /** Size of the structure `name` in bytes. */
  structSize(name: string): number {
    return this.#type(this.#require(name, KIND.STRUCT)).size;
  }

  /** Members of the structure `name`, in order. */
  structMembers(name: string): Member[] {
    const type = this.#type(this.#require(name, KIND.STRUCT));
    return Array.from({ length: type.length }, (_, i) => {
      const at = 12 + i * 12; // struct btf_member: name_off, type, offset in bits
      const id = type.view.getUint32(at + 4);
      const member = this.#type(id);
      return {
        name: this.#name(type.view.getUint32(at)),
        offset: type.view.getUint32(at + 8) / 8,
        size: Number(libbpf().btf__resolve_size(this.#open(), id)),
        struct: member.kind === KIND.STRUCT ? member.name : undefined,
      };
    });
  }

  /** Constants of the enumeration `name`, in order. */
  enumValues(name: string): [string, number][] {
    const type = this.#type(this.#require(name, KIND.ENUM));
    return Array.from({ length: type.length }, (_, i) => {
      const at = 12 + i * 8; // struct btf_enum: name_off, val
      return [this.#name(type.view.getUint32(at)), type.view.getInt32(at + 4)];
    });
  }

  /** Size of a section of variables such as `.bss` in bytes. */
  sectionSize(section: string): number {
    return this.#type(this.#require(section, KIND.DATASEC)).size;
  }

  /** Variables of a section such as `.rodata`: their names, offsets and sizes. */
  sectionVariables(section: string): Member[] {
    const type = this.#type(this.#require(section, KIND.DATASEC));
    return Array.from({ length: type.length }, (_, i) => {
      const at = 12 + i * 12; // struct btf_var_secinfo: type, offset, size
      return {
        name: this.#type(type.view.getUint32(at)).name,
        offset: type.view.getUint32(at + 4),
        size: type.view.getUint32(at + 8),
        struct: undefined,
      };
    });
  }

  [Symbol.dispose](): void {
    if (this.#handle !== null && this.#owned) libbpf().btf__free(this.#handle);
    this.#handle = null;
  }

  #open(): Deno.PointerObject {
    if (this.#handle === null) throw new LibbpfError("cannot use BTF: it is closed");
    return this.#handle;
  }

  #find(name: string, kind: number): number {
    return libbpf().btf__find_by_name_kind(this.#open(), toCString(name), kind);
  }

  #require(name: string, kind: number): number {
    const id = this.#find(name, kind);
    if (id < 0) throw new LibbpfError(`cannot find ${name} in BTF`);
    return id;
  }

  // struct btf_type: name_off, info (vlen in bits 0-15, kind in bits 24-28), size or type
  #type(id: number) {
    const pointer = libbpf().btf__type_by_id(this.#open(), id);
    if (pointer === null) throw new LibbpfError(`cannot find BTF type ${id}`);
    const view = new Deno.UnsafePointerView(pointer);
    const info = view.getUint32(4);
    return {
      view,
      name: this.#name(view.getUint32(0)),
      length: info & 0xffff,
      kind: info >>> 24 & 0x1f,
      size: view.getUint32(8),
    };
  }

  #name(offset: number): string {
    return cString(libbpf().btf__name_by_offset(this.#open(), offset));
  }
}

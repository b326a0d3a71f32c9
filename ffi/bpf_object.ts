/** An eBPF object file in the kernel: its programs, its maps, its variables. */
import { Btf } from "./btf.ts";
import { libbpf, LibbpfError, libbpfFailure, LibbpfMessages, RefusedProgram } from "./libbpf.ts";
import { errorText, lastErrno, SystemError, toCString } from "./libc.ts";
import { removeEntry } from "./map.ts";
import { withoutSignals } from "./signals.ts";
import { Walk } from "./walk.ts";

// offset in struct bpf_prog_info, include/uapi/linux/bpf.h
const PROG_INFO = { size: 232, recursionMisses: 208 } as const;

/**
 * One object file, opened but not loaded until `load()`. Disposing detaches the programs and closes
 * everything; views from `initialValues()` must not be used after it.
 */
export class BpfObject implements Disposable {
  #handle: Deno.PointerObject | null;
  readonly #links: Deno.PointerObject[] = [];
  readonly #iterators = new Map<string, Deno.PointerObject>();

  /** @param elf contents of the `.bpf.o` file. @throws {LibbpfError} if libbpf cannot read it */
  constructor(elf: Uint8Array<ArrayBuffer>) {
    using messages = new LibbpfMessages();
    const handle = libbpf().bpf_object__open_mem(elf, BigInt(elf.length), null);
    if (handle === null) throw libbpfFailure("cannot read the BPF object", lastErrno(), messages);
    this.#handle = handle;
  }

  /** Sets the number of entries of a map, before `load()`; a ring buffer's count is its bytes. */
  setMaxEntries(map: string, entries: number): void {
    using messages = new LibbpfMessages();
    const code = libbpf().bpf_map__set_max_entries(this.#map(map), entries);
    if (code < 0) throw libbpfFailure(`cannot resize map ${map}`, -code, messages);
  }

  /** Makes `load()` use an existing map instead of making one; it must be of the same kind. */
  reuseMap(map: string, fd: number): void {
    using messages = new LibbpfMessages();
    const code = libbpf().bpf_map__reuse_fd(this.#map(map), fd);
    if (code < 0) throw libbpfFailure(`cannot take over the map ${map}`, -code, messages);
  }

  /** Leaves a program out of `load()` and `attach()`. */
  disable(program: string): void {
    libbpf().bpf_program__set_autoload(this.#program(program), false);
  }

  /**
   * The bytes of the section `.rodata`. Write them before `load()`: they are libbpf's copy, not
   * what the kernel program sees afterwards.
   */
  initialValues(section: string): ArrayBuffer {
    const size = new BigUint64Array(1);
    const pointer = libbpf().bpf_map__initial_value(this.#map(section), size);
    if (pointer === null) throw new LibbpfError(`cannot find the section ${section}`);
    return Deno.UnsafePointerView.getArrayBuffer(pointer, Number(size[0]));
  }

  /**
   * Makes the kernel verify and load the programs. Do not use the object again after a failure.
   * @throws {RefusedProgram} with the verifier's words. @throws {LibbpfError} if it was something else
   */
  load(): void {
    using messages = new LibbpfMessages();
    const object = this.#open();
    // the verifier gives up with EAGAIN when a signal comes, and libbpf after five tries
    const code = withoutSignals(() => libbpf().bpf_object__load(object));
    if (code >= 0) return;
    const error = libbpfFailure("cannot load the BPF program", -code, messages);
    const program = messages.refusedProgram();
    if (program === undefined) throw error;
    throw new RefusedProgram(error.message, -code, program, errorText(-code));
  }

  /** Attaches a loaded program to its hook. @returns the link's descriptor, owned by the object */
  attach(program: string): number {
    using messages = new LibbpfMessages();
    const link = libbpf().bpf_program__attach(this.#program(program));
    if (link === null) throw libbpfFailure(`cannot attach ${program}`, lastErrno(), messages);
    this.#links.push(link);
    return libbpf().bpf_link__fd(link);
  }

  /** Attaches a loaded iterator program, and begins a walk, which some hosts refuse. @throws {LibbpfError}, {SystemError} */
  attachIterator(program: string): void {
    using messages = new LibbpfMessages();
    const link = libbpf().bpf_program__attach_iter(this.#program(program), null);
    if (link === null) throw libbpfFailure(`cannot attach ${program}`, lastErrno(), messages);
    using onFailure = new DisposableStack();
    onFailure.defer(() => libbpf().bpf_link__destroy(link));
    Walk.of(libbpf().bpf_link__fd(link))[Symbol.dispose]();
    onFailure.move();
    this.#iterators.set(program, link);
  }

  /** Whether an iterator program is attached. */
  hasIterator(program: string): boolean {
    return this.#iterators.has(program);
  }

  /** Begins to walk with an attached iterator program. @throws {SystemError} */
  walk(program: string): Walk {
    const link = this.#iterators.get(program);
    if (link === undefined) throw new LibbpfError(`cannot run ${program}: it is not attached`);
    return Walk.of(libbpf().bpf_link__fd(link));
  }

  /** The object's own type information. Do not use it after the object is closed. */
  btf(): Btf {
    return Btf.ofObject(this.#open());
  }

  /** Descriptor of a loaded map; it belongs to the object. */
  mapFd(map: string): number {
    return libbpf().bpf_map__fd(this.#map(map));
  }

  /** Number of entries of a map; for a ring buffer its bytes. */
  maxEntries(map: string): number {
    return libbpf().bpf_map__max_entries(this.#map(map));
  }

  /** Puts an entry into a loaded map. Key and value must have the map's lengths. */
  updateMap(map: string, key: Uint8Array<ArrayBuffer>, value: Uint8Array<ArrayBuffer>): void {
    const code = libbpf().bpf_map_update_elem(this.mapFd(map), key, value, 0n);
    if (code < 0) throw new SystemError(`cannot add to the map ${map}`, -code);
  }

  /** Removes an entry from a loaded map, if it is there. */
  deleteFromMap(map: string, key: Uint8Array<ArrayBuffer>): void {
    removeEntry(`cannot take from the map ${map}`, this.mapFd(map), key);
  }

  /** Runs of a program that were skipped because it was running on that CPU already (Linux 5.12+). */
  recursionMisses(program: string): number {
    const info = new DataView(new ArrayBuffer(PROG_INFO.size));
    const length = new Uint32Array([PROG_INFO.size]);
    const fd = libbpf().bpf_program__fd(this.#program(program));
    const code = libbpf().bpf_obj_get_info_by_fd(fd, info.buffer, length);
    if (code < 0) throw new SystemError(`cannot read the statistics of ${program}`, -code);
    return Number(info.getBigUint64(PROG_INFO.recursionMisses, true));
  }

  /** Detaches every program that follows events; maps and iterators stay. */
  detach(): void {
    for (const link of this.#links.splice(0)) libbpf().bpf_link__destroy(link);
  }

  [Symbol.dispose](): void {
    if (this.#handle === null) return;
    this.detach();
    for (const link of this.#iterators.values()) libbpf().bpf_link__destroy(link);
    this.#iterators.clear();
    libbpf().bpf_object__close(this.#handle);
    this.#handle = null;
  }

  #open(): Deno.PointerObject {
    if (this.#handle === null) throw new LibbpfError("cannot use the BPF object: it is closed");
    return this.#handle;
  }

  #map(name: string): Deno.PointerObject {
    const map = libbpf().bpf_object__find_map_by_name(this.#open(), toCString(name));
    if (map === null) throw new LibbpfError(`cannot find the map ${name} in the BPF object`);
    return map;
  }

  #program(name: string): Deno.PointerObject {
    const program = libbpf().bpf_object__find_program_by_name(this.#open(), toCString(name));
    if (program === null) {
      throw new LibbpfError(`cannot find the program ${name} in the BPF object`);
    }
    return program;
  }
}

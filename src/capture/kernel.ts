/** The kernel's side of a capture: the active program, and the ring it writes to. */
import { LibbpfError } from "../../ffi/libbpf.ts";
import { SystemError } from "../../ffi/libc.ts";
import { Ring } from "../../ffi/ring.ts";
import { HostError } from "../messages/errors.ts";
import { requireHost } from "./requirements.ts";
import { hostError } from "../host/host_error.ts";
import { readObjectFile } from "../host/object_file.ts";
import { OBJECT_SHA256 } from "../session/record_layout.ts";
import { type CaptureOptions, DEFAULT_RING_BUFFER } from "./capture_options.ts";
import { activeGeneration, KernelProgram } from "./kernel_program.ts";
import { KernelSettings } from "./kernel_settings.ts";
import { type OldRing, outgrownRing } from "./pin/old_ring.ts";
import { Pin } from "./pin/pin.ts";
import { seed } from "./walks.ts";

/**
 * A program and its ring. Both can be replaced while sessions are followed: by `replace`, or if
 * they are pinned, by another process after this one.
 */
export class Kernel implements Disposable {
  readonly #resources = new DisposableStack();
  #pin: Pin | undefined;
  #program: KernelProgram | undefined;
  #ring: Ring | undefined;
  /** Rings of earlier programs, to be read first. */
  readonly oldRings: OldRing[] = [];

  private constructor(pin: string | undefined) {
    this.#resources.defer(() => {
      this.#ring?.[Symbol.dispose]();
      this.#program?.[Symbol.dispose]();
      for (const old of this.oldRings) old[Symbol.dispose]();
    });
    if (pin !== undefined) this.#pin = this.#resources.use(Pin.open(pin));
  }

  /**
   * Loads and attaches, or takes over what is pinned.
   * @throws {HostError} if the kernel or the host makes it impossible, {UsageError} if nothing can be
   * pinned where the options say
   */
  static async open(options: CaptureOptions): Promise<Kernel> {
    requireHost();
    const kernel = new Kernel(options.pin);
    try {
      await kernel.replace(options);
      return kernel;
    } catch (error) {
      kernel[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Replaces the active program by one with other options; the active one works until then. What is
   * known of open sockets, and what is in the ring, is kept. `options.pin` has no effect here.
   * @throws {HostError} if that fails; then everything is as before
   */
  async replace(options: CaptureOptions): Promise<void> {
    const elf = await readObjectFile(OBJECT_SHA256);
    const settings = await KernelSettings.of(options);
    if (this.#resources.disposed) throw new HostError("cannot change a capture that has ended");
    try {
      this.#replace(elf, settings, options);
    } catch (error) {
      if (error instanceof LibbpfError || error instanceof SystemError) {
        throw hostError(error);
      }
      throw error;
    }
  }

  /** The active program. */
  get program(): KernelProgram {
    return opened(this.#program);
  }

  /** The ring it writes to. */
  get ring(): Ring {
    return opened(this.#ring);
  }

  /** Whether programs and ring stay when this is closed. */
  get isPinned(): boolean {
    return this.#pin !== undefined;
  }

  /** Closes everything; what is not pinned is detached. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }

  #replace(
    elf: Uint8Array<ArrayBuffer>,
    settings: KernelSettings,
    options: CaptureOptions,
  ): void {
    const ringSize = options.ringBuffer ?? DEFAULT_RING_BUFFER;
    const before = this.#program;
    before?.saveSkippedRuns();
    const shared = before?.shared(ringSize) ?? this.#pin?.shared(ringSize);
    if (shared !== undefined) this.#pin?.removeLinks(activeGeneration(shared));
    using stack = new DisposableStack();
    const program = stack.use(
      new KernelProgram({ elf, settings, capture: options, shared, seeds: before === undefined }),
    );
    const goesOn = this.#ring?.size === program.ringSize;
    const ring = goesOn ? this.ring : stack.use(new Ring(program.mapFd("ring"), program.ringSize));
    const links = program.attach();
    this.#keep(program, links);
    program.activate();
    stack.move(); // there is no way back after this
    if (!goesOn && this.#ring !== undefined) this.#retire(this.#ring);
    this.#program = program;
    this.#ring = ring;
    before?.[Symbol.dispose]();
    this.#pin?.removeLinks(program.generation);
    this.oldRings.push(...this.#pin?.retireOthers(program) ?? []);
    if (before === undefined) seed(program); // a later program takes over what is known
  }

  /** If the kernel refuses to pin and nothing is pinned yet, runs without. */
  #keep(program: KernelProgram, links: ReadonlyMap<string, number>): void {
    const wasEmpty = this.#pin?.isEmpty;
    try {
      this.#pin?.keep(program, links);
    } catch (error) {
      if (!wasEmpty || !(error instanceof SystemError)) throw error;
      program.goWithout("pin", error.message);
      this.#pin?.abandon();
      this.#pin = undefined;
    }
  }

  /** Leaves the rest of a ring to be read; if it is pinned, it is found there. */
  #retire(ring: Ring): void {
    if (this.#pin !== undefined) return ring[Symbol.dispose]();
    this.oldRings.push(outgrownRing(ring));
  }
}

function opened<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new TypeError("cannot use a capture that was not opened");
  return value;
}

/** A signal as an event on a descriptor. */
import { check, lastErrno, libc, SystemError } from "./libc.ts";

const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
const MAP_FAILED = 2n ** 64n - 1n;
const SA_ONSTACK = 0x08000000;
const SA_RESTART = 0x10000000;
const SIG_IGN = 1n;

/** Their numbers on x86-64 and arm64. */
const NUMBERS = { SIGUSR1: 10, SIGUSR2: 12 } as const;
type SignalName = keyof typeof NUMBERS;

// struct sigaction of glibc, the same on x86-64 and arm64
const SIGACTION = { size: 152, handler: 0, flags: 136 } as const;

/** `write(FD, &one, 8)` as the kernel takes it, with the place of FD in it. */
interface Handler {
  readonly code: Uint8Array;
  readonly fdOffset: number;
}

/** 8 bytes behind the code: what is added to the eventfd. */
const ONE = "0100000000000000";

const HANDLERS: Readonly<Record<typeof Deno.build.arch, Handler>> = {
  x86_64: {
    code: Uint8Array.fromHex(
      "b801000000" + // mov $1, %eax (__NR_write)
        "bf00000000" + // mov $FD, %edi
        "488d350f000000" + // lea ONE(%rip), %rsi
        "ba08000000" + // mov $8, %edx
        "0f05" + // syscall
        "c3" + // ret
        "cccccccccccccc" + // to the next multiple of 8
        ONE,
    ),
    fdOffset: 6,
  },
  aarch64: {
    code: Uint8Array.fromHex(
      "c0000018" + // ldr w0, FD
        "e1000010" + // adr x1, ONE
        "020180d2" + // mov x2, #8
        "080880d2" + // mov x8, #64 (__NR_write)
        "010000d4" + // svc #0
        "c0035fd6" + // ret
        "0000000000000000" + // FD, and to the next multiple of 8
        ONE,
    ),
    fdOffset: 24,
  },
};

/** What a handler uses, so it stays: a thread may be in the handler whenever it is taken away. */
const opened = new Map<SignalName, { readonly fd: number; readonly handler: bigint }>();

/**
 * Takes a signal away from everybody else in this process, and makes a descriptor readable when it
 * comes. Deno's own listeners cannot do that: at SIGUSR1 Deno opens its debugger on a port of this
 * host too, on which any local user could make a privileged process run what he likes. signalfd(2)
 * cannot either: threads that Deno started before would still take the signal. So the handler is
 * a few instructions, which write to an eventfd; nothing else may be called in a signal handler.
 */
export class SignalEvent implements Disposable {
  /** The same for every event of this signal; open until the process ends. */
  readonly fd: number;

  constructor(private readonly name: SignalName) {
    const { fd, handler } = open(name);
    this.fd = fd;
    this.clear(); // what came to an earlier one
    handleWith(name, handler);
  }

  /** Takes the event, so that the descriptor waits for the next one. */
  clear(): void {
    libc().read(this.fd, new BigUint64Array(1), 8n);
  }

  /** From now on the signal is ignored. */
  [Symbol.dispose](): void {
    handleWith(this.name, SIG_IGN);
  }
}

function open(name: SignalName): { fd: number; handler: bigint } {
  const known = opened.get(name);
  if (known !== undefined) return known;
  // Deno installs its handler for a signal once, for SIGUSR1 half a second after the start: now,
  // so that it will not be in the place of this one
  const ignore = () => {};
  Deno.addSignalListener(name, ignore);
  Deno.removeSignalListener(name, ignore);
  const fd = check("cannot make an eventfd", libc().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  try {
    const event = { fd, handler: Deno.UnsafePointer.value(codePage(fd)) };
    opened.set(name, event);
    return event;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

function handleWith(name: SignalName, handler: bigint): void {
  const action = new DataView(new ArrayBuffer(SIGACTION.size));
  action.setBigUint64(SIGACTION.handler, handler, true);
  action.setInt32(SIGACTION.flags, SA_RESTART | SA_ONSTACK, true);
  check("cannot handle a signal", libc().sigaction(NUMBERS[name], action.buffer, null));
}

/** A page with the handler for `fd`. Never writable and executable at once. */
function codePage(fd: number): Deno.PointerObject {
  const { code, fdOffset } = HANDLERS[Deno.build.arch];
  const size = BigInt(libc().getpagesize());
  const anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  const page = libc().mmap(null, size, PROT_READ | PROT_WRITE, anonymous, -1, 0n);
  if (page === null || Deno.UnsafePointer.value(page) === MAP_FAILED) {
    throw new SystemError("cannot map a page", lastErrno());
  }
  const buffer = Deno.UnsafePointerView.getArrayBuffer(page, code.length);
  new Uint8Array(buffer).set(code);
  new DataView(buffer).setInt32(fdOffset, fd, true);
  if (libc().mprotect(page, size, PROT_READ | PROT_EXEC) < 0) { // and the kernel syncs the caches
    const errno = lastErrno();
    libc().munmap(page, size);
    throw new SystemError("cannot make a page executable", errno);
  }
  return page;
}

/** The kernel's clocks, and steps of the wall clock. */
import { constants } from "node:os";
import { readKernelFile } from "./kernel_file.ts";
import { check, libc, SystemError } from "./libc.ts";
import { O_CLOEXEC, O_NONBLOCK } from "./open_flags.ts";

const CLOCK_REALTIME = 0;
const CLOCK_BOOTTIME = 7;
const CLOCK_TAI = 11;
const TFD_TIMER_ABSTIME = 1;
const TFD_TIMER_CANCEL_ON_SET = 2;

const timespec = new BigInt64Array(2);

function now(clock: number): bigint {
  check("cannot read a clock", libc().clock_gettime(clock, timespec));
  return (timespec[0] ?? 0n) * 1_000_000_000n + (timespec[1] ?? 0n);
}

/**
 * The host's CLOCK_BOOTTIME: nanoseconds since boot, time in suspend included. The kernel's
 * programs have it from bpf_ktime_get_boot_ns(), which no time namespace changes.
 */
export function bootTimeNs(): bigint {
  return now(CLOCK_BOOTTIME) - timeNamespaceOffsetNs();
}

let timeNamespaceOffset: bigint | undefined;

/**
 * What this process's time namespace adds to the boot clock, in nanoseconds: to what clock_gettime(2)
 * and /proc show. It cannot change once a process is in the namespace: time_namespaces(7).
 */
export function timeNamespaceOffsetNs(): bigint {
  return timeNamespaceOffset ??= parseBootOffset(readOffsets());
}

/** @param text of /proc/self/timens_offsets: `boottime SECONDS NANOSECONDS` is a line of it */
export function parseBootOffset(text: string): bigint {
  const [, seconds, nanoseconds] = /^boottime\s+(-?\d+)\s+(\d+)$/m.exec(text) ?? [];
  if (seconds === undefined || nanoseconds === undefined) return 0n;
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

function readOffsets(): string {
  try {
    return readKernelFile("/proc/self/timens_offsets");
  } catch (error) {
    if (error instanceof SystemError && error.errno === constants.errno.ENOENT) return ""; // no time namespaces
    throw error;
  }
}

/** What the clocks showed at one time, in nanoseconds. */
export interface ClockReading {
  /** The host's CLOCK_BOOTTIME. */
  readonly bootNs: bigint;
  /** CLOCK_REALTIME − the host's CLOCK_BOOTTIME. */
  readonly wallOffsetNs: bigint;
  /** CLOCK_TAI − CLOCK_REALTIME: whole seconds, 0 if nobody has set the kernel's TAI offset. */
  readonly taiOffsetNs: bigint;
}

const SECOND_NS = 1_000_000_000n;

/**
 * Best of a few readings: the others are read between two of the boot clock, and those that lie
 * closest together win.
 */
export function readClocks(): ClockReading {
  let best = readClocksOnce();
  for (let i = 1; i < 8; i++) {
    const next = readClocksOnce();
    if (next.tookNs < best.tookNs) best = next;
  }
  return best;
}

function readClocksOnce(): ClockReading & { readonly tookNs: bigint } {
  const before = bootTimeNs();
  const wall = now(CLOCK_REALTIME);
  const after = bootTimeNs();
  const tai = now(CLOCK_TAI);
  const bootNs = (before + after) / 2n;
  return {
    bootNs,
    wallOffsetNs: wall - bootNs,
    taiOffsetNs: (tai - wall + SECOND_NS / 2n) / SECOND_NS * SECOND_NS,
    tookNs: bootTimeNs() - before,
  };
}

/** CLOCK_REALTIME − the host's CLOCK_BOOTTIME in nanoseconds. */
export function wallOffsetNs(): bigint {
  return readClocks().wallOffsetNs;
}

/** A descriptor that becomes readable when the wall clock is set (timerfd_create(2)). */
export class ClockStepEvent implements Disposable {
  readonly fd: number;

  constructor() {
    const flags = O_CLOEXEC | O_NONBLOCK;
    this.fd = check("cannot make a timerfd", libc().timerfd_create(CLOCK_REALTIME, flags));
    const farAway = new BigInt64Array([0n, 0n, 2n ** 33n, 0n]); // struct itimerspec, in 272 years
    check(
      "cannot arm a timerfd",
      libc().timerfd_settime(this.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, farAway, null),
    );
  }

  /** Takes the event, so that the descriptor waits for the next one. */
  clear(): void {
    libc().read(this.fd, new BigUint64Array(1), 8n); // fails with ECANCELED after a step
  }

  [Symbol.dispose](): void {
    libc().close(this.fd);
  }
}

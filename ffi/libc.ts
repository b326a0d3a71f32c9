/** The C library: the calls for which Deno has no API of its own. */

const symbols = {
  /** `int *__errno_location(void)` */
  __errno_location: { parameters: [], result: "pointer" },
  /** `char *strerror(int errnum)` */
  strerror: { parameters: ["i32"], result: "pointer" },
  /** `int clock_gettime(clockid_t clockid, struct timespec *tp)` */
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  /** `void tzset(void)` */
  tzset: { parameters: [], result: "void" },
  /** `struct tm *localtime_r(const time_t *timep, struct tm *result)` */
  localtime_r: { parameters: ["buffer", "buffer"], result: "pointer" },
  /** `int poll(struct pollfd *fds, nfds_t nfds, int timeout)` */
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  /** `poll`, on this thread, which must not wait: with a timeout of 0 */
  poll_now: { name: "poll", parameters: ["buffer", "u64", "i32"], result: "i32" },
  /** `int eventfd(unsigned int initval, int flags)` */
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  /** `int timerfd_create(int clockid, int flags)` */
  timerfd_create: { parameters: ["i32", "i32"], result: "i32" },
  /** `int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)` */
  timerfd_settime: { parameters: ["i32", "i32", "buffer", "pointer"], result: "i32" },
  /** `ssize_t read(int fd, void *buf, size_t count)` */
  read: { parameters: ["i32", "buffer", "u64"], result: "i64" },
  /** `ssize_t write(int fd, const void *buf, size_t count)` */
  write: { parameters: ["i32", "buffer", "u64"], result: "i64" },
  /** `write`, on a thread that may wait */
  write_elsewhere: {
    name: "write",
    parameters: ["i32", "buffer", "u64"],
    result: "i64",
    nonblocking: true,
  },
  /** `int open(const char *pathname, int flags)` */
  open: { parameters: ["buffer", "i32"], result: "i32" },
  /**
   * `long syscall(SYS_openat2, int dirfd, const char *path, struct open_how *how, size_t size)`:
   * glibc has no openat2 of its own before 2.43
   */
  openat2: {
    name: "syscall",
    parameters: ["i64", "i32", "buffer", "buffer", "u64"],
    result: "i64",
  },
  /** `int fcntl(int fd, int cmd, int arg)` */
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** `int statfs(const char *path, struct statfs *buf)` */
  statfs: { parameters: ["buffer", "buffer"], result: "i32" },
  /** `ssize_t readlink(const char *pathname, char *buf, size_t bufsiz)` */
  readlink: { parameters: ["buffer", "buffer", "u64"], result: "i64" },
  /** `ssize_t getdents64(int fd, void *dirp, size_t count)` */
  getdents64: { parameters: ["i32", "buffer", "u64"], result: "i64" },
  /** `int access(const char *path, int mode)` */
  access: { parameters: ["buffer", "i32"], result: "i32" },
  /** `int statx(int dirfd, const char *pathname, int flags, unsigned mask, struct statx *buf)` */
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  /** `int mkdir(const char *path, mode_t mode)` */
  mkdir: { parameters: ["buffer", "u32"], result: "i32" },
  /** `int rmdir(const char *path)` */
  rmdir: { parameters: ["buffer"], result: "i32" },
  /** `int unlink(const char *path)` */
  unlink: { parameters: ["buffer"], result: "i32" },
  /** `int flock(int fd, int operation)` */
  flock: { parameters: ["i32", "i32"], result: "i32" },
  /** `int close(int fd)` */
  close: { parameters: ["i32"], result: "i32" },
  /** `int getpagesize(void)` */
  getpagesize: { parameters: [], result: "i32" },
  /** `void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)` */
  mmap: { parameters: ["pointer", "u64", "i32", "i32", "i32", "i64"], result: "pointer" },
  /** `int munmap(void *addr, size_t length)` */
  munmap: { parameters: ["pointer", "u64"], result: "i32" },
  /** `sighandler_t signal(int signum, sighandler_t handler)` */
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  /** `int sigprocmask(int how, const sigset_t *set, sigset_t *oldset)` */
  sigprocmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  /** `int uname(struct utsname *buf)` */
  uname: { parameters: ["buffer"], result: "i32" },
  /** `int capget(cap_user_header_t hdrp, cap_user_data_t datap)` */
  capget: { parameters: ["buffer", "buffer"], result: "i32" },
  /** `long sysconf(int name)` */
  sysconf: { parameters: ["i32"], result: "i64" },
  /** `int setns(int fd, int nstype)` */
  setns: { parameters: ["i32", "i32"], result: "i32" },
  /** `char *if_indextoname(unsigned int ifindex, char *ifname)` */
  if_indextoname: { parameters: ["u32", "buffer"], result: "pointer" },
  /** `int vsnprintf(char *str, size_t size, const char *format, va_list ap)` */
  vsnprintf: { parameters: ["buffer", "u64", "pointer", "pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Libc = Deno.DynamicLibrary<typeof symbols>["symbols"];

let opened: Libc | undefined;

/** libc, opened at the first call, so that what needs no system call needs no permission either. */
export function libc(): Libc {
  return opened ??= Deno.dlopen("libc.so.6", symbols).symbols;
}

/** Text at a C string's address; empty for NULL. */
export function cString(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** The bytes of a C string, its final NUL included. */
export function toCString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** A system or library call that failed. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** Positive errno. */
  readonly errno: number;

  constructor(attempt: string, errno: number) {
    super(`${attempt}: ${errorText(errno)}`);
    this.errno = errno;
  }
}

/** The system's words for a positive errno. */
export function errorText(errno: number): string {
  return cString(libc().strerror(errno));
}

/** errno of this thread's last call that failed. Ask at once. */
export function lastErrno(): number {
  const address = libc().__errno_location();
  return address === null ? 0 : new Deno.UnsafePointerView(address).getInt32();
}

/** Returns the result of a call that returns −1 on failure. @throws {SystemError} */
export function check(attempt: string, result: number | bigint): number {
  const value = Number(result);
  if (value < 0) throw new SystemError(attempt, lastErrno());
  return value;
}

const F_DUPFD_CLOEXEC = 1030;

/** Another descriptor of the same file, closed when a program is executed. */
export function duplicate(fd: number): number {
  return check("cannot duplicate a descriptor", libc().fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

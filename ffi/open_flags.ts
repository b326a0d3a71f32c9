/**
 * Flags of open(2), include/uapi/asm-generic/fcntl.h. eventfd(2) and timerfd_create(2) take
 * O_CLOEXEC and O_NONBLOCK as well: EFD_CLOEXEC and TFD_CLOEXEC are other names of the same bit.
 */

export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
/** x86-64's is O_DIRECT on arm64: arch/arm64/include/uapi/asm/fcntl.h. */
export const O_DIRECTORY = Deno.build.arch === "aarch64" ? 0o040000 : 0o200000;
export const O_PATH = 0o10000000;

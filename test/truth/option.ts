/** Socket options by the numbers of include/uapi: level and option. */
export const OPTION = {
  KEEPALIVE: [1, 9],
  OOBINLINE: [1, 10],
  SNDBUF: [1, 7],
  RCVBUF: [1, 8],
  ZEROCOPY: [1, 60],
  BINDTODEVICE: [1, 25],
  TCP_NODELAY: [6, 1],
  TCP_CORK: [6, 3],
  TCP_KEEPIDLE: [6, 4],
  TCP_KEEPINTVL: [6, 5],
  TCP_KEEPCNT: [6, 6],
  TCP_SYNCNT: [6, 7],
  TCP_USER_TIMEOUT: [6, 18],
  TCP_REPAIR: [6, 19],
  TCP_REPAIR_QUEUE: [6, 20],
  TCP_QUEUE_SEQ: [6, 21],
} as const;

/** Its name. */
export type SocketOption = keyof typeof OPTION;

/** The largest values, in the config file and on the command line. */
import { LIMIT } from "../session/record_layout.ts";

/** Most pids: the kernel program compares with one after another. */
export const MOST_PIDS = LIMIT.pids;
/** The largest pid that Linux gives: PID_MAX_LIMIT of include/linux/threads.h. */
export const LARGEST_PID = 2 ** 22;
export const LARGEST_PORT = 65535;
/** The longest delay that a timer can wait: 2^31 - 1 ms, a little less than 25 days. */
export const MAX_DURATION = 2 ** 31 - 1;

/** The wall clock in the local time zone, as libc has it. */
import { libc } from "./libc.ts";

const time = new BigInt64Array(1); // time_t
const tm = new Int32Array(14); // struct tm: its first members are seconds, minutes and hours

/**
 * The local time of day, HH:MM:SS, `seconds` after 1970, as date(1) shows it: the zone is the one
 * of TZ, else of /etc/localtime, which may change meanwhile (tzset(3), localtime_r(3)).
 */
export function localTimeOfDay(seconds: number): string {
  const { tzset, localtime_r } = libc();
  tzset(); // localtime_r need not look for a change of the zone
  time[0] = BigInt(seconds);
  localtime_r(time, tm);
  const [second = 0, minute = 0, hour = 0] = tm;
  return [hour, minute, second].map((part) => `${part}`.padStart(2, "0")).join(":");
}

/** The local time of day, compared with date(1). */
import assert from "node:assert/strict";
import { localTimeOfDay } from "../../ffi/local_time.ts";

/** What TZ may be: tzset(3). */
const ZONES: readonly [what: string, TZ: string | undefined][] = [
  ["no TZ, which is /etc/localtime", undefined],
  ["an empty TZ", ""],
  ["a colon alone", ":"],
  ["a zone by name", "Europe/Berlin"],
  ["a zone by name, after a colon", ":America/New_York"],
  ["a zone by its file", ":/usr/share/zoneinfo/Asia/Kathmandu"],
  ["the host's file", ":/etc/localtime"],
  ["a POSIX zone east of Greenwich", "IST-5:30"],
  ["a POSIX zone west of it", "NST3:30"],
  ["a POSIX zone with seconds", "LMT-0:53:28"],
  ["a POSIX zone with a quoted name", "<+0330>-3:30"],
  ["a POSIX zone with daylight saving time and no rule", "EST5EDT"],
  ["a POSIX zone with rules", "EST5EDT,M3.2.0,M11.1.0"],
  ["a POSIX zone with times in its rules", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"],
  ["a POSIX zone south of the equator", "AEST-10AEDT,M10.1.0,M4.1.0/3"],
  ["a POSIX zone with Julian days", "WST4WDT,J60/2:30,J300"],
  ["a zone with half an hour of daylight saving time", "Australia/Lord_Howe"],
  ["a zone whose winter has the saving time", "Europe/Dublin"],
  ["a zone that left out a day", "Pacific/Apia"],
  ["a zone that counted seconds until 1972", "Africa/Monrovia"],
  ["leap seconds", "right/UTC"],
  ["an unknown name", "Mars/Olympus"],
  ["an unknown name of three letters", "XYZ"],
  ["what is no zone", "5:30"],
];

/** Moments around which the hour is compared. */
const TIMES: readonly [when: string, utc: string][] = [
  ["before 1970", "1938-04-24T22:13:19Z"],
  ["the first second", "1970-01-01T00:00:00Z"],
  ["mean time of Monrovia ends", "1972-01-07T00:44:30Z"],
  ["Apia leaves out a day", "2011-12-30T10:00:00Z"],
  ["a leap second has ended", "2017-01-01T00:00:27Z"], // in right/UTC
  ["summer time begins in the USA", "2026-03-08T07:00:00Z"],
  ["it begins in Europe", "2026-03-29T01:00:00Z"],
  ["it ends on Lord Howe Island", "2026-04-04T15:00:00Z"],
  ["it ends in Australia", "2026-04-04T16:00:00Z"],
  ["it ends in Europe", "2026-10-25T01:00:00Z"],
  ["it ends in the USA", "2026-11-01T06:00:00Z"],
  ["after 2038", "2100-06-01T12:34:56Z"],
];

for (const [what, zone] of ZONES) {
  Deno.test(`localTimeOfDay() is date's: ${what}${zone ? `: TZ=${zone}` : ""}`, async () => {
    const times = TIMES.flatMap(([when, utc]) =>
      [-3600, -1, 0, 1, 1800].map((more) => ({ when, seconds: Date.parse(utc) / 1000 + more }))
    );
    const expected = await date(zone, times.map(({ seconds }) => seconds));
    using _zone = setZone(zone);
    for (const [i, { when, seconds }] of times.entries()) {
      assert.equal(localTimeOfDay(seconds), expected[i], `${when}: ${seconds}`);
    }
  });
}

/** What date shows, one line for each time. */
async function date(zone: string | undefined, times: readonly number[]): Promise<string[]> {
  const env = Deno.env.toObject();
  delete env["TZ"];
  if (zone !== undefined) env["TZ"] = zone;
  const process = new Deno.Command("date", {
    args: ["--file=-", "+%T"],
    clearEnv: true,
    env,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = new Blob(times.map((seconds) => `@${seconds}\n`)).stream();
  const [{ stdout }] = await Promise.all([process.output(), input.pipeTo(process.stdin)]);
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

function setZone(zone: string | undefined): Disposable {
  const before = Deno.env.get("TZ");
  set(zone);
  return { [Symbol.dispose]: () => set(before) };
}

function set(zone: string | undefined): void {
  if (zone === undefined) Deno.env.delete("TZ");
  else Deno.env.set("TZ", zone);
}

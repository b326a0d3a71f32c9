/** Local time in a container that has its zone from a file mounted over /etc/localtime. */
import assert from "node:assert/strict";

const SCRIPT = `
import { localTimeOfDay } from "${new URL("../../ffi/local_time.ts", import.meta.url)}";
const [zone, seconds] = Deno.args;
const mount = () => new Deno.Command("mount", { args: ["--bind", zone, "/etc/localtime"] }).output();
const shown = () => console.log(localTimeOfDay(Number(seconds)));
shown();
await mount();
shown();
`;

const SECONDS = 1_767_225_600; // 2026-01-01T00:00:00Z

const ZONES = [
  { zone: "Asia/Kolkata", shown: "05:30:00" },
  { zone: "America/St_Johns", shown: "20:30:00" },
  { zone: "Etc/UTC", shown: "00:00:00" },
];

for (const { zone, shown } of ZONES) {
  Deno.test(`${zone} mounted over /etc/localtime counts from the next time on`, async () => {
    const { TZ: _, ...env } = Deno.env.toObject();
    const { stdout } = await new Deno.Command("unshare", {
      args: [
        "--mount",
        Deno.execPath(),
        "eval",
        SCRIPT,
        `/usr/share/zoneinfo/${zone}`,
        `${SECONDS}`,
      ],
      clearEnv: true,
      env,
      stderr: "inherit",
    }).output();
    const [before, after] = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(after, shown);
    assert.equal(before, await hostTime());
  });
}

async function hostTime(): Promise<string> {
  const { TZ: _, ...env } = Deno.env.toObject();
  const args = [`--date=@${SECONDS}`, "+%T"];
  const { stdout } = await new Deno.Command("date", { args, clearEnv: true, env }).output();
  return new TextDecoder().decode(stdout).trim();
}

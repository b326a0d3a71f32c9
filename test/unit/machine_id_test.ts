import { strict as assert } from "node:assert";
import { machineId } from "../../src/host/machine_id.ts";

const ID = "3d1219c7c4c5404aaa1f6d2a48adfda4";
const OTHER = "fdbf79e8af94cb7f9e8df36789187052";
const UUID = "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4";

type Text = string | undefined;

/** What /etc/machine-id and D-Bus's file hold, undefined if there is none, and the id. */
const CASES: Readonly<Record<string, readonly [etc: Text, dbus: Text, id: Text]>> = {
  "as machine-id(5) has it": [`${ID}\n`, undefined, ID],
  "without a newline": [ID, undefined, ID],
  "with white space around it": [`  ${ID} \r\n\n`, undefined, ID],
  "in upper case": [`${ID.toUpperCase()}\n`, undefined, ID],
  "a UUID": [`${UUID}\n`, undefined, ID],
  "a UUID in upper case": [`${UUID.toUpperCase()}\n`, undefined, ID],
  "D-Bus's is another": [`${ID}\n`, `${OTHER}\n`, ID],
  "only D-Bus's": [undefined, `${OTHER}\n`, OTHER],
  "empty, as in an image": ["", undefined, undefined],
  "empty, and D-Bus's": ["", `${OTHER}\n`, OTHER],
  "a first boot": ["uninitialized\n", undefined, undefined],
  "a first boot, and D-Bus's from the image": ["uninitialized\n", `${OTHER}\n`, OTHER],
  "both empty": ["\n", "", undefined],
  "neither": [undefined, undefined, undefined],
  "zeros": [`${"0".repeat(32)}\n`, undefined, undefined],
  "a UUID of zeros": ["00000000-0000-0000-0000-000000000000\n", undefined, undefined],
  "a digit too few": [`${ID.slice(1)}\n`, undefined, undefined],
  "a digit too many": [`${ID}0\n`, undefined, undefined],
  "no hex digits": [`${ID.replace("3", "g")}\n`, undefined, undefined],
  "dashes elsewhere": ["3d12-19c7c4c5404aaa1f6d2a48adfda4\n", undefined, undefined],
  "only dashes": [`${"-".repeat(36)}\n`, undefined, undefined],
  "two lines": [`${ID}\n${OTHER}\n`, undefined, undefined],
  "bytes that are no text": ["\ufffd\0".repeat(16), `${OTHER}\n`, OTHER],
};

for (const [name, [etc, dbus, expected]] of Object.entries(CASES)) {
  Deno.test(`machineId() of ${name}`, () => {
    const folder = Deno.makeTempDirSync();
    try {
      for (const [file, text] of [["etc", etc], ["dbus", dbus]] as const) {
        if (text !== undefined) Deno.writeTextFileSync(`${folder}/${file}`, text);
      }
      assert.equal(machineId([`${folder}/etc`, `${folder}/dbus`]), expected);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

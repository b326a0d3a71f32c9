/** One kernel of `deno task kernels`, on every run of the tests. */
import { strict as assert } from "node:assert";
import { GuestImage } from "./guest_image.ts";
import { BOOTS, nameOf } from "./kernels.ts";
import { play } from "./outcome.ts";

const NAME = Deno.build.arch === "aarch64" ? "6.1 arm64" : "6.1";

const MOST_MS = 6 * 60_000; // it takes about 90 s

// elsewhere no mirror has the kernel: CONTRIBUTING.md says so
const isDebian = /^ID=debian$/m.test(await Deno.readTextFile("/etc/os-release"));

if (isDebian) {
  Deno.test(`tcpspan traces on Linux ${NAME}, under qemu`, async () => {
    const boot = BOOTS.find((boot) => nameOf(boot) === NAME);
    assert.ok(boot !== undefined);
    await using image = await GuestImage.make(boot.architecture);
    const { faults } = await play(boot, image.path, AbortSignal.timeout(MOST_MS));
    assert.deepEqual(faults, []);
  });
}

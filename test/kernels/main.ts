/** `deno task kernels`: boots kernels under qemu, and runs tcpspan in each. */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run } from "./cache.ts";
import { document } from "./document.ts";
import { GuestImage } from "./guest_image.ts";
import { type Architecture, type Boot, BOOTS, nameOf, ownKernel } from "./kernels.ts";
import { type Outcome, play } from "./outcome.ts";
import { PROGRAMS } from "./qemu.ts";

const DOCUMENT = fileURLToPath(new URL("../../docs/kernels.md", import.meta.url));

const USAGE = `Usage: deno task kernels [--only NAME,…] [--arch amd64|arm64] [--write|--list]

Boots Debian's kernels under qemu, and has tcpspan trace in each of them. Needs
Debian, and its packages qemu-system-x86 and qemu-system-arm.

  --only NAME,…  some of them, such as '6.1,6.1 JIT off'
  --arch ARCH    those of one architecture
  --write        writes the rows of docs/kernels.md; prints the table otherwise
  --kernel FILE  a kernel of one's own, instead of Debian's
  --list         prints the names of what there is
  -h, --help     this text
`;

/** @returns the exit status: 1 if something is wrong with tcpspan, 2 if this was started wrongly */
async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      arch: { type: "string" },
      kernel: { type: "string" },
      write: { type: "boolean" },
      list: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return print(USAGE);
  const names = values.only?.split(",").map((name) => name.trim()) ?? BOOTS.map(nameOf);
  const unknown = names.find((name) => BOOTS.every((boot) => nameOf(boot) !== name));
  if (unknown !== undefined) {
    console.error(`kernels: cannot boot ${unknown}: there is none of this name; see --list`);
    return 2;
  }
  const boots = values.kernel !== undefined
    ? [ownKernel(values.kernel)]
    : BOOTS.filter((boot) =>
      names.includes(nameOf(boot)) &&
      (values.arch === undefined || values.arch === boot.architecture)
    );
  if (boots.length === 0) {
    console.error("kernels: nothing to boot: --arch is amd64 or arm64, and leaves none of --only");
    return 2;
  }
  if (values.list) return print(boots.map((boot) => `${nameOf(boot)}\n`).join(""));
  const qemu = await qemuVersion(boots);
  const outcomes: Outcome[] = [];
  for await (const outcome of playAll(boots)) {
    outcomes.push(outcome);
    // after each boot: all of them take an hour
    if (values.write) await write(document([outcome], await documentBefore(), qemu));
  }
  if (!values.write) print(document(outcomes, "", qemu));
  const isRight = outcomes.every(({ faults }) => faults.length === 0);
  return isRight && outcomes.length === boots.length ? 0 : 1;
}

/** Plays all boots that are available here. */
async function* playAll(boots: readonly Boot[]): AsyncGenerator<Outcome, void, void> {
  await using images = new AsyncDisposableStack();
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort(new Error(`ended by ${signal}`)));
  }
  const made = new Map<Architecture, GuestImage>();
  for (const boot of boots) {
    const { architecture } = boot;
    console.error(`kernels: ${nameOf(boot)}`);
    let outcome;
    try {
      const image = made.get(architecture) ?? images.use(await GuestImage.make(architecture));
      made.set(architecture, image);
      outcome = await play(boot, image.path, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) throw error;
      console.error(`  ${error instanceof Error ? error.message : error}`);
      continue;
    }
    const { version, faults, seconds, log } = outcome;
    for (const fault of faults) console.error(`  ${fault}`);
    const verdict = faults.length === 0 ? "as it has to be" : `${faults.length} faults, see ${log}`;
    console.error(`  ${version}: ${verdict} (${seconds} s)`);
    yield outcome;
  }
}

async function write(text: string): Promise<void> {
  await Deno.writeTextFile(DOCUMENT, text);
  await run(Deno.execPath(), ["fmt", "-q", DOCUMENT]);
}

async function documentBefore(): Promise<string> {
  try {
    return await Deno.readTextFile(DOCUMENT);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** The version of the first qemu that is installed: Debian has one version for all machines. */
async function qemuVersion(boots: readonly Boot[]): Promise<string> {
  const [program] = boots.map(({ architecture }) => PROGRAMS[architecture]);
  const text = await run(program ?? PROGRAMS.amd64, ["--version"]);
  return /version ([\d.]+)/.exec(text)?.[1] ?? text;
}

function print(text: string): 0 {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
  return 0;
}

if (import.meta.main) {
  const status = await main(Deno.args).catch((error: unknown) => {
    console.error(`kernels: ${error instanceof Error ? error.message : error}`);
    return 2;
  });
  Deno.exit(status);
}

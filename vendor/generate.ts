/**
 * Bundles the npm packages that every start needs, so that a start needs no network: of each what
 * `NAME.ts` exports, as `NAME.js`.
 *
 *     deno task generate           # writes vendor/NAME.js
 *     deno task generate --check   # compares instead, and fails on a difference
 */
import { build, stop } from "esbuild";
import { fileURLToPath } from "node:url";

const PACKAGES = ["commander", "yaml", "zod"];

async function bundle(name: string): Promise<string> {
  const specifier = await specifierOf(name);
  await import(specifier); // for Deno to download it
  const folder = packageFolder(specifier);
  const { outputFiles: [output] } = await build({
    entryPoints: [pathOf(`${name}.ts`)],
    absWorkingDir: folder, // paths in the output are relative to it
    alias: { [specifier]: folder },
    bundle: true,
    format: "esm",
    platform: "browser", // yaml's modules for Node are CommonJS, which starts more slowly
    external: ["node:*"],
    charset: "utf8",
    target: "esnext",
    write: false,
  });
  if (output === undefined) throw new Error(`no bundle of ${name} was made`);
  const license = await Deno.readTextFile(`${folder}/LICENSE`);
  const { version } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  return [
    `// @ts-self-types="./${name}.ts"`,
    `// Generated from npm:${name}@${version} by \`deno task generate\`. Do not edit.`,
    "/*",
    license.trim().replaceAll(/^/gm, " * ").replaceAll(/ +$/gm, ""),
    " */",
    output.text,
  ].join("\n");
}

/** What `NAME.ts` imports: `npm:`, the package, and its version. */
async function specifierOf(name: string): Promise<string> {
  const [, specifier] = (await Deno.readTextFile(pathOf(`${name}.ts`))).match(/"(npm:.*)"/) ?? [];
  if (specifier === undefined) throw new Error(`vendor/${name}.ts names no package of npm`);
  return specifier;
}

/** Where Deno keeps a package: the folder that is named after its version. */
function packageFolder(specifier: string): string {
  const path = fileURLToPath(import.meta.resolve(specifier));
  const [folder] = path.match(/^.*\/\d+\.\d+\.\d+(?=\/)/) ?? [];
  if (folder === undefined) throw new Error(`${path} is no file of a package`);
  return folder;
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

const stale: string[] = [];
for (const name of PACKAGES) {
  const path = pathOf(`${name}.js`);
  const text = await bundle(name);
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(path, text);
  else if (text !== await Deno.readTextFile(path)) stale.push(`vendor/${name}.js`);
}
await stop();
if (stale.length > 0) {
  console.error(`not what npm has: ${stale.join(", ")}; run \`deno task generate\``);
  Deno.exit(1);
}

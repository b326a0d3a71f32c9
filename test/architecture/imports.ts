/** Which file imports which, and whether the order of rooms allows it. */
import { dirname, join } from "node:path/posix";

/** One file importing another; paths are relative to the repository's root. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

/**
 * The order, from the top down. A room is a folder of src/, or a file there; it may import rooms of
 * the lines below its own. Rooms of one line do not import each other.
 */
const ORDER: readonly (readonly string[])[] = [
  ["examples"],
  ["mod.ts"],
  ["exporters"],
  ["src/command_line"],
  ["src/doctor"],
  ["src/run"],
  ["src/telemetry"],
  ["src/library"],
  ["src/queue"],
  ["src/config"],
  ["src/exporter.ts"],
  ["src/span", "src/capture"],
  ["src/ids"],
  ["src/session", "src/host"],
  ["src/bytes", "src/net", "src/messages", "src/abort.ts", "src/version.ts"],
  ["src/clock.ts"],
  ["ffi", "npm"],
];

const MOST_AT_ROOT = 6; // files, in src/

/**
 * Our files that the text of `file` imports: by `import` and `export … from`, of values or of
 * types, and by `import()`. Data and foreign modules are left out, and so are the examples
 * in comments.
 */
export function importsOf(file: string, text: string): Import[] {
  const code = text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "");
  const statements = code.matchAll(/^(?:import|export)\b(?:[^"'`;=()]*\bfrom)?\s*"([^"]+)"/gm);
  const calls = code.matchAll(/\bimport\(\s*"([^"]+)"/g);
  return [...statements, ...calls].map(([, name = ""]) => name)
    .filter((name) => /^\..*\.ts$/.test(name))
    .map((name) => ({ from: file, to: join(dirname(file), name) }));
}

/** What is wrong, each with its file, its import and the rule. */
export function faultsOf(files: readonly string[], imports: readonly Import[]): string[] {
  return [
    ...strayFiles(files),
    ...imports.flatMap(upwardImport),
    ...circles(imports),
  ];
}

function strayFiles(files: readonly string[]): string[] {
  const rooms = new Set(files.map(roomOf));
  const stray = [...rooms].filter((room) => rank(room) === undefined)
    .map((room) =>
      `${room} is no room: give it a place in the order in test/architecture/imports.ts`
    );
  const atRoot = files.filter((file) => dirname(file) === "src");
  if (atRoot.length <= MOST_AT_ROOT) return stray;
  return [
    ...stray,
    `src/ holds ${atRoot.length} files: at most ${MOST_AT_ROOT}, the rest in rooms`,
  ];
}

function upwardImport({ from, to }: Import): string[] {
  const [own, other] = [roomOf(from), roomOf(to)];
  const [above, below] = [rank(own), rank(other)];
  if (own === other || above === undefined) return [];
  const fault = `${from} imports ${to}:`;
  if (below === undefined) return [`${fault} ${other} is no room`];
  if (above < below) return [];
  return [
    above > below
      ? `${fault} ${own} is below ${other}`
      : `${fault} ${own} and ${other} know nothing of each other`,
  ];
}

/** Each circle once, as the path around it. */
function circles(imports: readonly Import[]): string[] {
  const importedBy = Map.groupBy(imports, ({ from }) => from);
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      const round = [...way.slice(way.indexOf(file)), file];
      faults.push(`${round.join(" imports ")}: a circle`);
    }
    if (done.has(file)) return;
    done.add(file);
    for (const { to } of importedBy.get(file) ?? []) visit(to, [...way, file]);
  };
  for (const file of importedBy.keys()) visit(file, []);
  return faults;
}

/** `src/queue` of `src/queue/spool/frame.ts`, `exporters` of `exporters/otlp/http.ts`. */
function roomOf(file: string): string {
  const [top = "", next] = file.split("/");
  return top === "src" ? `${top}/${next}` : top;
}

/** Its line in the order. */
function rank(room: string): number | undefined {
  const line = ORDER.findIndex((rooms) => rooms.includes(room));
  return line < 0 ? undefined : line;
}

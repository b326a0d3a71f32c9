/** The text of a config file as plain values, each with its place in the text. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from "../../vendor/yaml.js";
import type { Alias, Document, Node, Pair, Scalar, YAMLError, YAMLMap } from "../../vendor/yaml.js";
import { type Environment, expand, retype } from "./expand.ts";
import { isSecretKey } from "./secret_values.ts";
import { quote } from "../messages/quote.ts";
import type { Path, Problem } from "./problem.ts";

const DEEPEST = 64;
/** Aliases can make a short text mean a huge one; this ends that. */
const MOST_VALUES = 100_000;
/** Broken text breaks everything after it; the first problems are enough. */
const MOST_SYNTAX_PROBLEMS = 10;

/** A config file, read as YAML and with its references to the environment expanded. */
export class ConfigDocument {
  /** Mappings as objects, sequences as arrays, scalars as YAML's core schema types them. */
  readonly value: unknown;
  readonly problems: Problem[] = [];
  /** The text is not YAML, or far too long; then `value` means nothing. */
  broken: boolean;

  readonly #lines = new LineCounter();
  readonly #document: Document;
  readonly #env: Environment;
  /** Where keys and values are, by path. */
  readonly #places = new Map<string, { key?: number; value: number }>();
  /** Paths of values with a part from the environment, which may be a secret. */
  readonly #expanded = new Set<string>();
  /** The text of values from the environment to which YAML's rules gave another type. */
  readonly #texts = new Map<string, string>();
  /** What aliases stand for; made when there is one. */
  #targets: ReadonlyMap<Alias, Node> | undefined;
  #values = 0;

  constructor(text: string, env: Environment) {
    this.#env = env;
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false, // they would show lines of the file, secrets too
      uniqueKeys: false, // found below, where the path is known
      schema: "core",
    });
    const { errors, warnings } = this.#document;
    this.broken = errors.length > 0;
    for (const error of [...errors, ...warnings].slice(0, MOST_SYNTAX_PROBLEMS)) {
      this.problems.push({
        offset: error.pos[0],
        path: [],
        text: describeSyntax(error, text),
      });
    }
    if (!this.broken) this.value = this.#read(this.#document.contents, [], []);
  }

  /** Line and column of an offset, both from 1. */
  position(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** The offset of the value at `path`, or of the key of the nearest value around it. */
  offset(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(placeKey(path.slice(0, length)));
      if (place === undefined) continue;
      return length === path.length ? place.value : place.key ?? place.value;
    }
    return 0;
  }

  /** The offset of the key at `path`. */
  keyOffset(path: Path): number {
    return this.#places.get(placeKey(path))?.key ?? this.offset(path);
  }

  /** Whether a part of the value at `path` came from a reference to the environment. */
  isExpanded(path: Path): boolean {
    return this.#expanded.has(placeKey(path));
  }

  /** The text of the value at `path` before it got its type, if it came from the environment. */
  expandedText(path: Path): string | undefined {
    return this.#texts.get(placeKey(path));
  }

  #problem(offset: number, path: Path, text: string): undefined {
    this.problems.push({ offset, path, text });
  }

  /** @param above the collections around `node`, to notice one that contains itself */
  #read(node: unknown, path: Path, above: readonly unknown[]): unknown {
    if (node === null || node === undefined) return null;
    const offset = (node as Node).range?.[0] ?? 0;
    if (++this.#values > MOST_VALUES) {
      if (this.broken) return undefined;
      this.broken = true;
      return this.#problem(offset, path, `more than ${MOST_VALUES} values: expected fewer aliases`);
    }
    if (isAlias(node)) {
      const target = (this.#targets ??= resolveAliases(this.#document)).get(node);
      if (target === undefined) {
        return this.#problem(offset, path, `unknown alias: expected an anchor before it`);
      }
      if (above.includes(target)) {
        return this.#problem(offset, path, "an alias that contains itself: expected another value");
      }
      return this.#read(target, path, above);
    }
    if (isScalar(node)) return this.#scalar(node, offset, path);
    if (above.length >= DEEPEST) {
      return this.#problem(offset, path, `nested deeper than ${DEEPEST} levels: expected fewer`);
    }
    if (isMap(node)) return this.#map(node, path, [...above, node]);
    if (isSeq(node)) {
      return node.items.map((item, i) => {
        const inner = [...path, i];
        this.#places.set(placeKey(inner), { value: (item as Node | null)?.range?.[0] ?? offset });
        return this.#read(item, inner, [...above, node]);
      });
    }
    return this.#problem(offset, path, "found no plain value: expected text, a list or a mapping");
  }

  #map(map: YAMLMap, path: Path, above: readonly unknown[]): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      const offset = pair.key.range?.[0] ?? 0;
      if (!isScalar(pair.key)) {
        this.#problem(offset, path, "found a key that is no plain word: expected a name");
        continue;
      }
      const key = keyText(pair.key);
      const inner = [...path, key];
      if (key === "__proto__") {
        // An assignment would change the object's prototype.
        this.#problem(offset, inner, "unknown key: expected another name");
        continue;
      }
      if (Object.hasOwn(object, key)) {
        const { line } = this.position(this.keyOffset(inner));
        this.#problem(
          offset,
          inner,
          `duplicate key: expected it once, found it on line ${line} too`,
        );
        continue;
      }
      const nothing = pair.value === null ||
        (isScalar(pair.value) && pair.value.source === "" && pair.value.type === "PLAIN");
      const value = nothing ? offset : pair.value?.range?.[0] ?? offset;
      this.#places.set(placeKey(inner), { key: offset, value });
      object[key] = this.#read(pair.value, inner, above);
    }
    return object;
  }

  #scalar(node: Scalar, offset: number, path: Path): unknown {
    if (typeof node.value === "bigint") return Number(node.value);
    if (typeof node.value !== "string") return node.value;
    if (!node.value.isWellFormed()) {
      return this.#problem(offset, path, "half a character (a lone surrogate): expected Unicode");
    }
    const expansion = expand(
      node.value,
      this.#env,
      path.some(isSecretKey) ? quoteName : undefined,
    );
    if ("problem" in expansion) return this.#problem(offset, path, expansion.problem);
    if (expansion.expanded) this.#expanded.add(placeKey(path));
    if (!expansion.whole || node.tag !== undefined) return expansion.text;
    const value = retype(expansion.text);
    if (value !== expansion.text) this.#texts.set(placeKey(path), expansion.text);
    return value;
  }
}

/** A wrong reference under a key of secrets: only the name of a variable is shown. */
function quoteName(reference: string): string {
  return /^\$\{[A-Z_][A-Z0-9_]*\}$/.test(reference) ? quote(reference) : "${…}";
}

function placeKey(path: Path): string {
  return JSON.stringify(path);
}

function keyText(key: Scalar): string {
  return typeof key.value === "string" ? key.value : key.source ?? String(key.value);
}

/**
 * What each alias stands for: the last node before it that has its anchor. All in one pass, because
 * `Alias.resolve` walks through the whole document, and an alias may be read many times.
 */
function resolveAliases(document: Document): ReadonlyMap<Alias, Node> {
  const anchored = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchored.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) {
        anchored.set(node.anchor, node);
      }
    },
  });
  return targets;
}

/** What the YAML parser found, without the text of the file that some of its messages hold. */
function describeSyntax(error: YAMLError, text: string): string {
  const [offset] = error.pos;
  if (error.code === "RESOURCE_EXHAUSTION") return "nested too deeply: expected fewer levels";
  if (error.code === "MULTIPLE_DOCS") return "a second document: expected one";
  if (text[offset] === "{" && text[offset - 1] === "$") {
    return "found ${…} without quotes within [ ] or { }: expected quotes around the value";
  }
  const what = error.message.replace(
    /(token in YAML stream|extra characters|Unresolved tag|Unknown directive):? [^]*$/,
    "$1",
  );
  if (error.code === "TAB_AS_INDENT") {
    return "not YAML: tabs are not allowed as indentation: expected spaces";
  }
  return `not YAML: ${what.charAt(0).toLowerCase()}${what.slice(1)}`;
}

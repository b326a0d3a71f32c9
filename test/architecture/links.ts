/** What documents and comments name: links, and paths of this repository. */
import { dirname, join } from "node:path/posix";

/** A path in backquotes or bare, from the repository's root: `docs/health.md`, `bpf/record.h`. */
const MENTION =
  /(?<![\w./@-])(?:bench|bpf|deploy|docs|examples|exporters|ffi|src|test|vendor)\/[\w./-]*\.(?:c|h|js|json|md|png|py|service|sh|svg|sysusers|ts|yaml)\b(?![\w/])/g;
const PLACEHOLDER = /\/[A-Z]+\.\w+$/; // vendor/NAME.js
const LINK = /\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)$/gm;
const ELSEWHERE = /^[a-z]+:/; // https:, mailto:
const FENCED = /^( *)(```|~~~)[^]*?^\1\2$/gm;

/** Our paths that a text names, with repetitions. */
export function mentionsIn(text: string): string[] {
  return Array.from(text.matchAll(MENTION), ([path]) => path)
    .filter((path) => !PLACEHOLDER.test(path));
}

/** A document's links within the repository: a path from its root, and a heading there. */
export function linksIn(document: string, text: string): { path: string; heading?: string }[] {
  return Array.from(text.replaceAll(FENCED, "").matchAll(LINK), ([, inline, reference]) => {
    const target = inline ?? reference ?? "";
    const [path = "", heading] = decodeURI(target).split("#");
    return ELSEWHERE.test(target) ? [] : {
      path: path === "" ? document : join(dirname(document), path).replace(/\/$/, ""),
      ...(heading === undefined ? {} : { heading }),
    };
  }).flat();
}

/** The anchors of a document's headings, as GitHub makes them. */
export function headingsIn(text: string): string[] {
  const seen = new Map<string, number>();
  return Array.from(text.replaceAll(FENCED, "").matchAll(/^#+ (.+)$/gm), ([, title = ""]) => {
    const anchor = title.toLowerCase().replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(
      " ",
      "-",
    );
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

/** Everything that a document or a comment refers to exists. */
import assert from "node:assert/strict";
import { listFiles, readFile } from "./files.ts";
import { headingsIn, linksIn, mentionsIn } from "./links.ts";

const TEXT = /\.(c|h|md|py|service|sh|ts|yaml|yml)$|^\.gitattributes$/;
const files = listFiles();
const existing = new Set(files.flatMap((file) => {
  const parts = file.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/")); // and its folders
}));

Deno.test("each link in a document leads somewhere", () => {
  const documents = files.filter((file) => file.endsWith(".md"));
  const links = documents.flatMap((file) =>
    linksIn(file, readFile(file)).map((link) => ({ file, ...link }))
  );
  assert.ok(links.length > documents.length, "links were found");
  const dead = links.filter(({ path, heading }) =>
    !existing.has(path) ||
    heading !== undefined && path.endsWith(".md") && !headingsIn(readFile(path)).includes(heading)
  );
  assert.deepEqual(
    dead.map(({ file, path, heading }) => `${file} links to ${path} ${heading ?? ""}`.trim()),
    [],
  );
});

Deno.test("each file that a comment, a message or a document names exists", () => {
  const mentions = files.filter((file) => TEXT.test(file) && !file.startsWith(OWN)).flatMap((
    file,
  ) => mentionsIn(readFile(file)).map((path) => ({ file, path })));
  assert.ok(mentions.length > 100, "mentions were found");
  const dead = mentions.filter(({ path }) => !existing.has(path));
  assert.deepEqual(dead.map(({ file, path }) => `${file} names ${path}, which is not there`), []);
});

const OWN = "test/architecture/"; // its texts below name files that do not exist

Deno.test("mentionsIn() finds paths from the repository's root, and no others", () => {
  const text = `
see docs/kernel.md, \`src/queue/spool/frame.ts\` (bpf/record.h). vendor/NAME.js
/usr/src/linux/bpf/none.h ../src/none.ts include/uapi/linux/bpf.h https://example.org/docs/none.md
`;
  assert.deepEqual(mentionsIn(text), [
    "docs/kernel.md",
    "src/queue/spool/frame.ts",
    "bpf/record.h",
  ]);
});

Deno.test("linksIn() finds links to files and headings here", () => {
  const text = `
[a](span.md#ids) ![b](img/b.png) [c](../src/) [d](#below) [e](https://example.org/e.md)
[f]: ../README.md
\`\`\`
[code](none.md)
\`\`\`
`;
  assert.deepEqual(linksIn("docs/a.md", text), [
    { path: "docs/span.md", heading: "ids" },
    { path: "docs/img/b.png" },
    { path: "src" },
    { path: "docs/a.md", heading: "below" },
    { path: "README.md" },
  ]);
});

Deno.test("headingsIn() names headings as GitHub does", () => {
  const text = "# The span\n## Ids, `trace.key`\n## Ids, trace.key\n### Über-Host_1\n";
  assert.deepEqual(headingsIn(text), [
    "the-span",
    "ids-tracekey",
    "ids-tracekey-1",
    "über-host_1",
  ]);
});

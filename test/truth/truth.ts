/** `deno task truth`: plays all cases under tcpspan and tcplife, and writes docs/truth.md. */
import { parseArgs } from "node:util";
import { run } from "../kernel/host.ts";
import { REPOSITORY } from "../e2e/tcpspan.ts";
import { CASES } from "./cases/all.ts";
import { report, type ReportFacts } from "./report.ts";
import { runCases } from "./run.ts";

const DOCUMENT = `${REPOSITORY}docs/truth.md`;

const USAGE = `Usage: deno task truth [--full FILE]

Compares tcpspan and tcplife with the truth, and writes the summary and the rows that differ to
docs/truth.md. Needs root and ./setup.sh --dev.

  --full FILE  also writes all rows, to a Markdown file`;

async function write(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await run(Deno.execPath(), "fmt", "-q", "--ext", "md", path);
  console.error(`wrote ${path}`);
}

if (import.meta.main) {
  const { values: { full, help } } = parseArgs({
    options: {
      full: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (help) {
    console.error(USAGE);
    Deno.exit(0);
  }
  const results = await runCases(CASES, {
    tcplife: true,
    progress: (name) => console.error(`played: ${name}`),
  });
  const facts: ReportFacts = {
    kernel: Deno.osRelease(),
    tcplife: (await run("dpkg-query", "--show", "--showformat=${Version}", "libbpf-tools")).trim(),
  };
  await write(DOCUMENT, report(CASES, results, facts, "differing"));
  if (full !== undefined) await write(full, report(CASES, results, facts, "all"));
}

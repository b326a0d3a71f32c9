/** `deno task truth`: plays all cases under tcpspan and tcplife, and writes docs/truth.md. */
import { run } from "../kernel/host.ts";
import { REPOSITORY } from "../e2e/tcpspan.ts";
import { CASES } from "./cases/all.ts";
import { report } from "./report.ts";
import { runCases } from "./run.ts";

const PATH = `${REPOSITORY}docs/truth.md`;

if (import.meta.main) {
  const results = await runCases(CASES, {
    tcplife: true,
    progress: (name) => console.error(`played: ${name}`),
  });
  const facts = {
    kernel: Deno.osRelease(),
    tcplife: (await run("dpkg-query", "--show", "--showformat=${Version}", "libbpf-tools")).trim(),
  };
  await Deno.writeTextFile(PATH, report(CASES, results, facts));
  await run(Deno.execPath(), "fmt", "-q", PATH);
  console.error(`wrote ${PATH}`);
}

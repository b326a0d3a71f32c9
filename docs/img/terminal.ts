/**
 * Makes docs/img/terminal.svg: what a real run printed of sessions that are made for it, drawn as a
 * terminal shows it. The sessions are between two network namespaces; if others ended meanwhile on
 * this host, it tries again, so that the picture has nothing of the host in it.
 *
 *     sudo deno run -A docs/img/terminal.ts
 */
import { join } from "node:path";
import { Process, until } from "../../test/e2e/process.ts";
import { startTcpspan } from "../../test/e2e/tcpspan.ts";
import { Namespace, run } from "../../test/kernel/host.ts";

const PICTURE = new URL("terminal.svg", import.meta.url);
const MOST_TRIES = 20;
const NETWORK = 77; // a short one, for short addresses

/** nginx on 80 and, with TLS, on 443; `/` is small, `/large` is not. */
function nginxConfig(folder: string): string {
  return `
daemon off;
pid ${folder}/pid;
error_log ${folder}/errors;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 80;
    listen [::]:80;
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate ${folder}/certificate.pem;
    ssl_certificate_key ${folder}/key.pem;
    root ${folder};
  }
}`;
}

async function startServer(namespace: Namespace, folder: string): Promise<AsyncDisposable> {
  await Deno.chmod(folder, 0o755);
  await Deno.writeTextFile(join(folder, "index.html"), "hello\n");
  await Deno.writeFile(join(folder, "large"), new Uint8Array(5_000_000));
  await Deno.writeTextFile(join(folder, "nginx.conf"), nginxConfig(folder));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const subject = ["-subj", "/CN=example", "-days", "2"];
  await run(
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] as const,
    ...["-nodes", ...subject, "-keyout", key, "-out", certificate],
  );
  const [command = "nsenter", ...under] = namespace.under;
  const config = join(folder, "nginx.conf");
  const nginx = new Process([command, ...under, "nginx", "-p", folder, "-c", config]);
  await until("the start of nginx", () => exists(join(folder, "pid"))); // it listens by then
  // its workers end with it
  return { [Symbol.asyncDispose]: async () => void await nginx.stop("SIGTERM") };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

/** Makes one session after the other. @returns how many ends they have */
async function makeSessions(client: Namespace, server: Namespace): Promise<number> {
  const { ipv4, ipv6 } = server.there;
  const commands: readonly (readonly string[])[] = [
    ["curl", "-s", "-o", "/dev/null", `http://${ipv4}/`],
    ["curl", "-sk", "-o", "/dev/null", `https://${ipv4}/large`],
    ["curl", "-s", "-o", "/dev/null", `http://[${ipv6}]/large`],
    ["python3", "-c", `import urllib.request as u; u.urlopen("http://${ipv4}/large").read()`],
    ["curl", "-s", "-o", "/dev/null", "--limit-rate", "4M", `http://${ipv4}/large`],
    ["sh", "-c", `curl -s http://${ipv4}:5432/ || true`], // nobody listens
  ];
  for (const command of commands) await client.run(...command);
  return 2 * commands.length - 1; // of a refused connection there is one end
}

/** The rows of one try, with their header; undefined if there are sessions of others among them. */
async function capture(client: Namespace, server: Namespace): Promise<string[] | undefined> {
  await using tcpspan = await startTcpspan(["-T"]);
  const ends = await makeSessions(client, server);
  await tcpspan.stdout.waitForLines(1 + ends, () => true);
  const { stdout } = await tcpspan.stop("SIGINT");
  const [header = "", ...rows] = stdout.trimEnd().split("\n");
  const own = [server.here, server.there].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  const isOwn = (row: string) => own.some((address) => row.includes(` ${address} `));
  return rows.length === ends && rows.every(isOwn) ? [header, ...rows] : undefined;
}

const FONT = 14;
const [WIDTH, HEIGHT] = [8.43, 20]; // of a character, in the usual fonts of 14 pixels
const MARGIN = 18;
const BAR = 34;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A line, as wide as its characters are in a terminal, whatever font there is. */
function textOf(line: string, index: number, style: string): string {
  const y = BAR + MARGIN + index * HEIGHT + FONT;
  const length = (line.length * WIDTH).toFixed(1);
  return `<text class="${style}" x="${MARGIN}" y="${y}" textLength="${length}" ` +
    `lengthAdjust="spacingAndGlyphs" xml:space="preserve">${escape(line)}</text>`;
}

/** A terminal that shows `command` and what it printed. */
function draw(command: string, [header = "", ...rows]: readonly string[]): string {
  const lines = [`$ ${command}`, header, ...rows];
  const columns = Math.max(...lines.map(({ length }) => length));
  const width = Math.ceil(columns * WIDTH + 2 * MARGIN);
  const height = BAR + 2 * MARGIN + lines.length * HEIGHT;
  const styles = ["command", "header"];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(command)}</title>`,
    "<style>",
    `text { font: ${FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d6dde6 }`,
    ".command { fill: #8fd18f }",
    ".header { fill: #8ab4f8 }",
    "</style>",
    `<rect width="${width}" height="${height}" rx="8" fill="#161b22"/>`,
    ...["#f2665c", "#f5bd4f", "#61c554"].map((colour, i) =>
      `<circle cx="${MARGIN + 6 + 20 * i}" cy="${BAR / 2 + 2}" r="6" fill="${colour}"/>`
    ),
    ...lines.map((line, i) => textOf(line, i, styles[i] ?? "row")),
    "</svg>",
    "",
  ].join("\n");
}

async function makePicture(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-picture-" });
  try {
    await using client = await Namespace.alone();
    await using server = await Namespace.make({ joinedTo: client, network: NETWORK });
    await using _nginx = await startServer(server, folder);
    for (let i = 0; i < MOST_TRIES; i++) {
      const lines = await capture(client, server);
      if (lines !== undefined) return draw("sudo deno run -A mod.ts -T", lines);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  throw new Error(`sessions of others ended in each of ${MOST_TRIES} tries: try on a quieter host`);
}

if (import.meta.main) await Deno.writeTextFile(PICTURE, await makePicture());

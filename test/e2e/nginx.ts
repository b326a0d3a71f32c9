/** A real server and a real client: nginx and curl. */
import { join } from "node:path";
import { listeningPorts } from "../backends/server.ts";
import { Process, until } from "./process.ts";

/** Bytes that nginx serves at `/`. */
export const BODY_LENGTH = 100_000;

/** A running nginx with two workers. It listens on 127.0.0.1 and ::1. */
export interface Nginx extends AsyncDisposable {
  /** Below the ports that the kernel gives to clients, so that spans have it in their names. */
  readonly port: number;
  /** Process ids. */
  readonly workers: readonly number[];
  /** @param host 127.0.0.1, or `[::1]` */
  url(path: string, host?: string): string;
}

/** How nginx listens, and what it does besides serving files. */
export interface NginxOptions {
  /** Whether with TCP_DEFER_ACCEPT: `listen … deferred`. */
  readonly deferred?: boolean;
  /** URL to which it passes on what is posted to `/v1/`; to a grpc:// one, calls over HTTP/2. */
  readonly proxyTo?: string;
  /** Default: any free one. */
  readonly port?: number;
}

/** Starts nginx on a free port. `/` is a file, `/slow` takes longer, `/close` hangs up. */
export async function startNginx(
  { deferred = false, proxyTo, port = freePort() }: NginxOptions = {},
): Promise<Nginx> {
  const folder = await Deno.makeTempDir({ prefix: "tcpspan-nginx-" });
  await Deno.chmod(folder, 0o755); // its workers are not root
  await Deno.writeFile(join(folder, "index.html"), new Uint8Array(BODY_LENGTH));
  const config = join(folder, "nginx.conf");
  await Deno.writeTextFile(config, nginxConfig(folder, port, deferred, proxyTo));
  const master = new Process(["nginx", "-p", folder, "-c", config, "-e", join(folder, "errors")]);
  const dispose = async () => {
    await master.stop("SIGTERM"); // its workers end with it
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const workers = await until("the start of nginx", () => {
      const children = childrenOf(master.pid);
      return children.length === 2 && listeningPorts(master.pid).includes(port) && children;
    });
    return {
      port,
      workers,
      url: (path, host = "127.0.0.1") => `http://${host}:${port}${path}`,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    const { stderr } = await master.stop("SIGKILL");
    throw new Error(`cannot start nginx: ${stderr}`, { cause: error });
  }
}

/** What curl says about the one connection of all its requests. */
export interface CurlReport {
  readonly pid: number;
  readonly localPort: number;
  /** Bytes. */
  readonly sent: number;
  readonly received: number;
  /** Milliseconds from the start of the connection to the end of the last answer. */
  readonly connectedMs: number;
  /** Milliseconds since the epoch: curl's process ran within. */
  readonly started: number;
  readonly ended: number;
  /** Process id of the nginx worker that answered, if one did. */
  readonly worker: number | undefined;
}

/** Runs curl on one or more URLs of one server. */
export async function curl(
  urls: readonly string[],
  ...flags: readonly string[]
): Promise<CurlReport> {
  const started = Date.now();
  await using process = new Process([
    "curl",
    ...["-q", "--silent", "--noproxy", "*", "--max-time", "10"],
    ...["--write-out", "%{json}\\n%header{x-worker}\\n"],
    ...flags,
    ...urls.flatMap((url) => ["--output", "/dev/null", url]),
  ]);
  await process.end();
  const ended = Date.now();
  const reports = process.stdout.lines.filter((_, i) => i % 2 === 0)
    .map(({ text }): CurlTransfer => JSON.parse(text));
  const worker = process.stdout.lines[1]?.text;
  const sum = (value: (transfer: CurlTransfer) => number) =>
    reports.reduce((sum, transfer) => sum + value(transfer), 0);
  return {
    pid: process.pid,
    localPort: reports[0]?.local_port ?? 0,
    sent: sum((transfer) => transfer.size_request),
    received: sum((transfer) => transfer.size_header + transfer.size_download),
    connectedMs: 1000 *
      (sum((transfer) => transfer.time_total) - (reports[0]?.time_namelookup ?? 0)),
    started,
    ended,
    worker: worker === undefined || worker === "" ? undefined : Number(worker),
  };
}

/** The part of curl's `%{json}` that is read here. Sizes are bytes, times are seconds. */
interface CurlTransfer {
  readonly local_port: number;
  readonly size_request: number;
  readonly size_header: number;
  readonly size_download: number;
  readonly time_namelookup: number;
  readonly time_total: number;
}

/** A port on which nobody listens, below those that the kernel gives to clients. */
export function freePort(): number {
  const range = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range");
  const [lowest = 0] = range.split(/\s+/).map(Number);
  for (let tries = 0; tries < 100; tries++) {
    const port = 1024 + Math.floor(Math.random() * (lowest - 1024));
    try {
      for (const hostname of ["127.0.0.1", "::1"]) Deno.listen({ hostname, port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`cannot find a free port below ${lowest}`);
}

function nginxConfig(
  folder: string,
  port: number,
  deferred: boolean,
  proxyTo: string | undefined,
): string {
  const isGrpc = proxyTo?.startsWith("grpc://") === true;
  const parameters = `${isGrpc ? " http2" : ""}${deferred ? " deferred" : ""}`;
  const proxy = proxyTo === undefined
    ? ""
    : isGrpc
    ? `location /opentelemetry. { grpc_pass ${proxyTo}; }`
    : `location /v1/ { proxy_pass ${proxyTo}; }`;
  return `
daemon off;
worker_processes 2;
pid ${folder}/pid;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/client;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port}${parameters};
    listen [::1]:${port}${parameters};
    root ${folder};
    add_header X-Worker $pid;
    ${proxy}
    location = /slow { limit_rate 80k; alias ${folder}/index.html; }
    location = /close { keepalive_timeout 0; alias ${folder}/index.html; }
  }
}
`;
}

function childrenOf(pid: number): number[] {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim();
    return children === "" ? [] : children.split(" ").map(Number);
  } catch {
    return []; // it has ended
  }
}

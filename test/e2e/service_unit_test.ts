/** deploy/tcpspan.service under a real systemd, installed as deploy/README.md says. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../kernel/host.ts";
import { together } from "../together.ts";
import { freePort } from "./nginx.ts";
import { until } from "./process.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { Systemd } from "./systemd.ts";
import { REPOSITORY, TRACING } from "./tcpspan.ts";

const DEPLOY = join(REPOSITORY, "deploy");
const UNIT = join(DEPLOY, "tcpspan.service");
const MOST_EXPOSED = 25; // of 100, as systemd-analyze counts
const CAPABILITIES = 1n << 39n | 1n << 38n | 1n << 19n; // bpf, perfmon, sys_ptrace

Deno.test("systemd finds nothing wrong in the unit, and little exposure", async () => {
  await run("systemd-analyze", "verify", UNIT);
  await run("systemd-analyze", "security", "--offline=true", `--threshold=${MOST_EXPOSED}`, UNIT);
});

/** What is done with the service, each time in a fresh systemd. */
const SCENARIOS: Readonly<Record<string, (service: Service) => Promise<void>>> = {
  "installed as its README says, the service sends spans with paths, and writes a private file":
    async (service) => {
      await service.configure((deployed) =>
        deployed.replace("  # file:\n  #   path:", "  file:\n    path:")
      );
      await service.start();
      const session = await service.open();
      await session.close();
      const [span] = await service.spans(1);
      assert.match(String(span?.resource["process.executable.path"]), /\/bash$/);
      const file = "/var/log/tcpspan/spans.jsonl";
      await until(
        "the file",
        async () => (await service.systemd.try(`test -s ${file}`)).status === 0,
      );
      assert.equal(await service.systemd.run(`stat -c '%U %a' ${file}`), "tcpspan 600\n");
      assert.deepEqual(await service.capabilities(), [CAPABILITIES]);
      await service.systemd.run("systemctl stop tcpspan");
      assert.deepEqual(await service.state(), { active: "inactive", result: "success", status: 0 });
      assert.doesNotMatch(await service.log(), /without CAP_|cannot|lost/);
    },
  "the unit allows every system call of a run": async (service) => {
    await service.override("SystemCallErrorNumber=kill");
    await service.configure(() => `
drop_privileges: true
capture: { interim: 1s, report_open_on_exit: true, pin: /sys/fs/bpf/tcpspan }
telemetry: { prometheus: { listen: "127.0.0.1:0" } }
exporters:
  otlp:
    endpoint: http://localhost:4318
    sending_queue: { storage: /var/lib/tcpspan/queue, persistent: true }
  otlp/grpc: { endpoint: "http://localhost:1", protocol: grpc }
  file: { path: /var/log/tcpspan/spans.jsonl }
`);
    await service.start();
    const session = await service.open();
    const [report] = await service.spans(1);
    assert.equal(report?.attributes["tcpspan.interim"], true);
    await session.close();
    await service.spans(2);
    await service.reload();
    await service.systemd.run("systemctl stop tcpspan");
    assert.deepEqual(await service.state(), { active: "inactive", result: "success", status: 0 });
    assert.equal(service.starts(await service.log()), 1, "it was killed, and started again");
  },
  "after SIGKILL the service starts again, and reports what ended meanwhile": async (service) => {
    await service.configure((deployed) =>
      deployed.replace(/^capture:\n/m, "capture:\n  pin: /sys/fs/bpf/tcpspan\n")
    );
    await service.override("RestartSec=4s"); // until the session is over
    await service.start();
    await service.systemd.run("systemctl kill --signal=KILL tcpspan");
    const session = await service.open();
    await session.close();
    assert.equal((await service.state()).active, "activating");
    await service.spans(1);
    await until("the second start", async () => service.starts(await service.log()) === 2);
  },
  "a wrong config stops the service, which does not start again and again": async (service) => {
    await service.configure((deployed) => deployed.replace("endpoint:", "endpont:"));
    await service.systemd.run("systemctl start tcpspan");
    await until("the end", async () => (await service.state()).active === "failed");
    await new Promise((resolve) => setTimeout(resolve, 2000)); // RestartSec=1s
    assert.deepEqual(await service.state(), { active: "failed", result: "exit-code", status: 2 });
    const messages = async () => (await service.log()).match(/unknown key/g)?.length ?? 0;
    await until("the message", async () => await messages() > 0);
    assert.equal(await messages(), 1);
  },
};

const play = together(Object.values(SCENARIOS), async (scenario) => {
  await using service = await Service.install();
  await scenario(service);
});

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  Deno.test(name, () => play(scenario));
}

/** The service, in its own systemd. It traces only sessions with `#port` of this host. */
class Service implements AsyncDisposable {
  readonly #receiver: Receiver;
  readonly #server = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  private constructor(readonly systemd: Systemd, receiver: Receiver) {
    this.#receiver = receiver;
  }

  /** Follows deploy/README.md, without ./setup.sh and the start at the end. */
  static async install(): Promise<Service> {
    const systemd = await Systemd.boot();
    try {
      await systemd.run(`
        sudo() { env "$@"; } # this is root
        mkdir -p /opt/tcpspan/.deno
        cp -r /mnt/deno/npm /opt/tcpspan/.deno # downloads nothing then
        cd /mnt/repository
        ${await installation()}
      `);
      return new Service(systemd, startReceiver(freePort()));
    } catch (error) {
      await systemd[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Writes /etc/tcpspan/tcpspan.yaml. @param change from deploy/tcpspan.yaml */
  async configure(change: (deployed: string) => string): Promise<void> {
    const deployed = await Deno.readTextFile(join(DEPLOY, "tcpspan.yaml"));
    const { port } = this.#server.addr;
    const text = change(deployed)
      .replace(/^capture:\n/m, `capture:\n  remote_ports: [${port}]\n`)
      .replace(/^capture: \{/m, `capture: { remote_ports: [${port}],`)
      .replace("localhost:4318", `127.0.0.1:${this.#receiver.port}`);
    assert.notEqual(text, deployed);
    await this.systemd.run(`cat >/etc/tcpspan/tcpspan.yaml <<'END'\n${text}\nEND`);
  }

  /** Adds a line to the unit's section Service. */
  async override(line: string): Promise<void> {
    await this.systemd.run(`
      mkdir -p /etc/systemd/system/tcpspan.service.d
      printf '[Service]\\n${line}\\n' >/etc/systemd/system/tcpspan.service.d/test.conf
      systemctl daemon-reload
    `);
  }

  /** Starts the service, and waits until it traces. */
  async start(): Promise<void> {
    await this.systemd.run("systemctl start tcpspan");
    try {
      await until("the start", async () => this.starts(await this.log()) > 0);
    } catch (error) {
      throw new Error(`the service does not trace:\n${await this.log()}`, { cause: error });
    }
  }

  /** Makes it read its config again, and waits until it has. */
  async reload(): Promise<void> {
    await this.systemd.run("systemctl reload tcpspan");
    await until("the reload", async () => (await this.log()).includes("tcpspan: reloaded "));
  }

  /** Opens a session of a process that lives on. `close` closes it, and waits until it is over. */
  async open(): Promise<{ close(): Promise<void> }> {
    const { port } = this.#server.addr;
    const client = `exec 3<>/dev/tcp/127.0.0.1/${port}; read -u 3; exec 3<&-; sleep 60; :`;
    const [connection] = await Promise.all([
      this.#server.accept(),
      this.systemd.run(`bash -c '${client}' </dev/null >/dev/null 2>&1 &`),
    ]);
    return {
      close: async () => {
        await connection.closeWrite();
        await connection.read(new Uint8Array(1)); // until the client has closed
        connection.close();
      },
    };
  }

  /** The spans that arrived, once there are `count` or more. */
  async spans(count: number) {
    await until("the delivery", () => this.#receiver.spans.length >= count);
    return this.#receiver.spans;
  }

  /** What the service has written. */
  async log(): Promise<string> {
    return await this.systemd.run("journalctl --unit=tcpspan --output=cat");
  }

  /** How often it says in `log` that it traces. */
  starts(log: string): number {
    return log.split("\n").filter((line) => line.startsWith(TRACING)).length;
  }

  /** The distinct sets of capabilities of the service. */
  async capabilities(): Promise<bigint[]> {
    const status = await this.systemd.run(
      "cat /proc/$(systemctl show tcpspan --value --property=MainPID)/status",
    );
    const sets = [...status.matchAll(/^Cap(?:Prm|Eff|Bnd|Amb):\t(.*)$/gm)];
    return [...new Set(sets.map(([, set]) => BigInt(`0x${set}`)))];
  }

  async state(): Promise<{ active: string; result: string; status: number }> {
    const properties = ["ActiveState", "Result", "ExecMainStatus"];
    const shown = await this.systemd.run(`systemctl show tcpspan --property=${properties}`);
    const [active, result, status] = properties.map((name) =>
      new RegExp(`^${name}=(.*)$`, "m").exec(shown)?.[1] ?? ""
    );
    return { active: active ?? "", result: result ?? "", status: Number(status) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.systemd[Symbol.asyncDispose]();
    this.#server.close();
    await this.#receiver[Symbol.asyncDispose]();
  }
}

/** The commands of deploy/README.md. */
async function installation(): Promise<string> {
  const text = await Deno.readTextFile(join(DEPLOY, "README.md"));
  const commands = text.split("\n").filter((line) => line.startsWith("    "));
  assert.match(commands[0] ?? "", /^ +\.\/setup\.sh/);
  const start = " && sudo systemctl enable --now tcpspan";
  assert.ok(commands.at(-1)?.endsWith(start));
  return commands.slice(1).join("\n").replace(start, " && sudo systemctl enable tcpspan");
}

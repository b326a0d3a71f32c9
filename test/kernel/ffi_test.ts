/** libbpf and libc through FFI: what is opened is closed, and failures say why. */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { BpfObject } from "../../ffi/bpf_object.ts";
import { Btf } from "../../ffi/btf.ts";
import { bootTimeNs, ClockStepEvent, wallOffsetNs } from "../../ffi/clock.ts";
import { LibbpfError } from "../../ffi/libbpf.ts";
import { Poller } from "../../ffi/poller.ts";
import { Ring } from "../../ffi/ring.ts";
import { RECORD } from "../../src/session/record_layout.ts";
import { Process, until } from "../e2e/process.ts";
import { descriptors, mappings } from "./descriptors.ts";
import { section } from "./elf.ts";

const ELF = await Deno.readFile(new URL("../../bpf/tcpspan.bpf.o", import.meta.url));
const RING_SIZE = 64 * 1024;
const SIGUSR1 = fileURLToPath(new URL("../programs/sigusr1.ts", import.meta.url));

Deno.test("BpfObject and Ring close everything that they opened", () => {
  load()[Symbol.dispose](); // opens what stays open: libraries, libbpf's files
  const before = { descriptors: descriptors(), mappings: mappings("bpf-map") };
  for (let i = 0; i < 5; i++) {
    using object = load();
    object.attach("set_state");
    using _ring = new Ring(object.mapFd("ring"), object.maxEntries("ring"));
    assert.ok(descriptors() > before.descriptors);
    assert.ok(mappings("bpf-map") > before.mappings);
  }
  assert.deepEqual({ descriptors: descriptors(), mappings: mappings("bpf-map") }, before);
});

Deno.test("with ignoreSignal() SIGUSR1 does not open Deno's debugger; with only a listener it does", async () => {
  const start = async (what: "ignore" | "listen") => {
    const process = new Process([Deno.execPath(), "run", "-A", SIGUSR1, what]);
    await process.stdout.waitForLines(1, (line) => line === "ready");
    return process;
  };
  await using ignoring = await start("ignore");
  await using listening = await start("listen");
  // Deno itself listens half a second after the start, so first in the older process
  await until("the debugger", () => {
    for (const { pid } of [ignoring, listening]) Deno.kill(pid, "SIGUSR1");
    return /debugger|inspector/i.test(listening.stderr.text);
  });
  assert.equal(ignoring.stderr.text, "");
});

Deno.test("BpfObject closes everything when the load fails", () => {
  const before = descriptors();
  for (let i = 0; i < 3; i++) {
    assert.throws(() => {
      using object = new BpfObject(rejected());
      object.load();
    }, LibbpfError);
  }
  assert.equal(descriptors(), before);
});

Deno.test("a Ring that was disposed of throws, and does not crash", () => {
  using object = load();
  const ring = new Ring(object.mapFd("ring"), object.maxEntries("ring"));
  ring[Symbol.dispose]();
  assert.throws(() => ring.waiting, RangeError);
  assert.throws(() => ring.read(new Int32Array(RECORD.size / 4), RECORD.size), RangeError);
  ring[Symbol.dispose](); // a second time does nothing
});

Deno.test("a BpfObject that was disposed of throws, and does not crash", () => {
  const object = load();
  object[Symbol.dispose]();
  const closed = { name: "LibbpfError", message: "cannot use the BPF object: it is closed" };
  assert.throws(() => object.mapFd("ring"), closed);
  assert.throws(() => object.initialValues(".rodata"), closed);
  assert.throws(() => object.recursionMisses("set_state"), closed);
  assert.throws(() => object.attach("set_state"), closed);
  object[Symbol.dispose](); // a second time does nothing
});

const UNREADABLE: Record<string, Uint8Array<ArrayBuffer>> = {
  "text": new TextEncoder().encode("this is no object file"),
  "half of one": ELF.slice(0, ELF.length >> 1),
};

for (const [name, bytes] of Object.entries(UNREADABLE)) {
  Deno.test(`BpfObject says, in libbpf's words, why it can't read ${name}`, () => {
    assert.throws(() => new BpfObject(bytes), (error) => {
      assert.ok(error instanceof LibbpfError);
      assert.match(error.message, /^cannot read the BPF object: /);
      // the second line is libbpf's, without its own name in front
      assert.match(error.message, /\n {2}\S/);
      assert.doesNotMatch(error.message, /libbpf: /);
      return true;
    });
  });
}

Deno.test("BpfObject says what errno means if libbpf says nothing", () => {
  const message = "cannot read the BPF object: Invalid argument";
  assert.throws(() => new BpfObject(new Uint8Array()), { name: "LibbpfError", message });
});

Deno.test("load() of a program that the verifier rejects shows the line that says why", () => {
  using object = new BpfObject(rejected());
  assert.throws(() => object.load(), (error) => {
    assert.ok(error instanceof LibbpfError);
    assert.match(error.message, /^cannot load the BPF program: /);
    assert.match(error.message, /\bR9 !read_ok\b/); // verifier.c: check_reg_arg()
    assert.ok(error.message.split("\n").length <= 10, "shortened to what tells");
    assert.doesNotMatch(error.message, /processed \d+ insns/);
    return true;
  });
});

Deno.test("BpfObject names the map, program or section that does not exist", () => {
  using object = load();
  const cases: [() => unknown, string][] = [
    [() => object.mapFd("nonesuch"), "cannot find the map nonesuch in the BPF object"],
    [() => object.attach("nonesuch"), "cannot find the program nonesuch in the BPF object"],
    [() => object.initialValues(".nonesuch"), "cannot find the map .nonesuch in the BPF object"],
  ];
  for (const [use, message] of cases) assert.throws(use, { name: "LibbpfError", message });
});

Deno.test("programInfo() counts no recursion misses for a program that never ran", () => {
  using object = load();
  assert.equal(object.recursionMisses("set_state"), 0);
});

Deno.test("the kernel's Btf knows its tracepoints and structures", () => {
  using btf = Btf.kernel();
  assert.equal(btf.hasTracepoint("inet_sock_set_state"), true);
  assert.equal(btf.hasTracepoint("nonesuch"), false);
  // include/uapi/linux/in6.h, time_types.h: the same on every 64-bit Linux
  assert.equal(btf.structSize("in6_addr"), 16);
  assert.deepEqual(btf.structMembers("timespec64").map(({ name, offset }) => [name, offset]), [
    ["tv_sec", 0],
    ["tv_nsec", 8],
  ]);
  assert.throws(() => btf.structSize("nonesuch"), { message: "cannot find nonesuch in BTF" });
});

Deno.test("Btf that was disposed of throws, and does not crash", () => {
  const btf = Btf.kernel();
  btf[Symbol.dispose]();
  assert.throws(() => btf.structSize("in6_addr"), { message: "cannot use BTF: it is closed" });
  btf[Symbol.dispose]();
});

Deno.test("Poller: wake() ends a wait, or the next one", async () => {
  await using poller = new Poller([]);
  const wait = poller.wait();
  poller.wake();
  await wait;
  poller.wake();
  await poller.wait();
});

Deno.test("Poller closes its descriptor, also while a wait is under way", async () => {
  const before = descriptors();
  const poller = new Poller([]);
  const wait = poller.wait();
  await poller[Symbol.asyncDispose]();
  await wait;
  assert.equal(descriptors(), before);
});

Deno.test("a ClockStepEvent does not become readable while nobody sets the clock", async () => {
  const before = descriptors();
  {
    using event = new ClockStepEvent();
    await using poller = new Poller([{ fd: event.fd, until: "readable" }]);
    setTimeout(() => poller.wake(), 20);
    await poller.wait();
    assert.equal(poller.ready(0), false);
    event.clear();
  }
  assert.equal(descriptors(), before);
});

Deno.test("bootTimeNs() is the time since boot, and wallOffsetNs() added to it is the wall clock", async () => {
  const [uptime = 0] = (await Deno.readTextFile("/proc/uptime")).split(" ").map(Number);
  const boot = bootTimeNs();
  assert.ok(Math.abs(Number(boot) / 1e9 - uptime) < 1);
  const before = Date.now();
  const wall = Number(bootTimeNs() + wallOffsetNs()) / 1e6;
  assert.ok(wall >= before - 1 && wall <= Date.now() + 1);
  // best of several readings: two of them differ by microseconds at most
  const [one, other] = [wallOffsetNs(), wallOffsetNs()];
  assert.ok(one - other < 50_000n && other - one < 50_000n);
});

function load(): BpfObject {
  const object = new BpfObject(ELF);
  object.setMaxEntries("ring", RING_SIZE);
  object.disable("send"); // not every kernel has its hook
  object.load();
  return object;
}

/** The object with a program that starts by reading a register that was never written. */
function rejected(): Uint8Array<ArrayBuffer> {
  const elf = ELF.slice();
  const loadFromR9 = [0x79, 0x90, 0, 0, 0, 0, 0, 0]; // r0 = *(u64 *)(r9 + 0)
  section(elf, "tp_btf/tcp_destroy_sock").set(loadFromR9);
  return elf;
}

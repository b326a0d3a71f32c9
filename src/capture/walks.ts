/** Walks over the sockets of this host. */
import { SystemError } from "../../ffi/libc.ts";
import { inNetworkNamespace } from "../../ffi/network_namespace.ts";
import type { Walk } from "../../ffi/walk.ts";
import { missingCapabilities } from "../host/capabilities.ts";
import { type NetworkNamespace, networkNamespaces } from "../host/network_namespaces.ts";
import { namespaceOf } from "../host/procfs.ts";
import { ITERATORS, type Purpose } from "./iterators.ts";
import type { KernelProgram } from "./kernel_program.ts";

// A walk over one namespace's sockets looks at those of all, for some 10 ms: thousands would take long.
const MOST_ELSEWHERE = 256;

/** Over files, and over the sockets of the own network namespace. Each is the caller's to dispose of. */
export function* walksHere(program: KernelProgram, purpose: Purpose): Generator<Walk, void, void> {
  const { files, sockets } = ITERATORS[purpose];
  if (program.has(files)) yield program.walk(files);
  if (program.has(sockets)) yield program.walk(sockets);
}

/**
 * Over the sockets of the other network namespaces that processes are in, at most 256 of them. Each
 * is the caller's to dispose of.
 * @returns whether these were all, as far as this process can tell
 */
export function* walksElsewhere(
  program: KernelProgram,
  purpose: Purpose,
): Generator<Walk, boolean, void> {
  const { sockets } = ITERATORS[purpose];
  if (!program.has(sockets) || !mayEnterNamespaces()) return false;
  if (missingCapabilities(["CAP_SYS_PTRACE"]).length > 0) return false; // it sees some alone
  let walks = 0;
  for (const { pid } of otherNamespaces()) {
    if (walks++ === MOST_ELSEWHERE) return false;
    const walk = within(`/proc/${pid}/ns/net`, () => program.walk(sockets));
    if (walk !== undefined) yield walk;
  }
  return true;
}

/** Tells the program what was open before the start: sockets' owners, and who opened them. */
export function seed(program: KernelProgram): void {
  // without the one it may enter none, and without the other it sees none of other users' processes
  const isBlind = missingCapabilities(["CAP_SYS_PTRACE"]).length > 0;
  const mayEnter = mayEnterNamespaces();
  const others = () => otherNamespaces().next().value !== undefined;
  if (mayEnter ? isBlind : others()) program.goWithout("namespaces", "Operation not permitted");
  for (const walks of [walksHere(program, "seed"), walksElsewhere(program, "seed")]) {
    for (const walk of walks) walk.finish();
  }
}

/** Those that this process can see, which takes CAP_SYS_PTRACE for those of others. */
function* otherNamespaces(): Generator<NetworkNamespace, void, void> {
  const own = namespaceOf("self", "net");
  for (const namespace of networkNamespaces()) if (namespace.inode !== own) yield namespace;
}

/** It takes CAP_SYS_ADMIN, also for the own one, and may have been given up. */
function mayEnterNamespaces(): boolean {
  return within("/proc/thread-self/ns/net", () => true) ?? false;
}

/** @returns undefined if there is no such namespace any more, or it may not be entered */
function within<Result>(path: string, act: () => Result): Result | undefined {
  try {
    return inNetworkNamespace(path, act);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

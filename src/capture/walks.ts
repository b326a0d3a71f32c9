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

/**
 * Walks over files, and over the sockets of the own network namespace. The caller disposes of each.
 */
export function* walksHere(program: KernelProgram, purpose: Purpose): Generator<Walk, void, void> {
  const { files, sockets } = ITERATORS[purpose];
  if (program.has(files)) yield program.walk(files);
  if (program.has(sockets)) yield program.walk(sockets);
}

/**
 * Walks over the sockets of the other network namespaces that processes are in, at most 256 of
 * them. The caller disposes of each.
 * @returns whether these were all that this process can see
 */
export function* walksElsewhere(
  program: KernelProgram,
  purpose: Purpose,
): Generator<Walk, boolean, void> {
  const { sockets } = ITERATORS[purpose];
  if (!program.has(sockets) || !mayEnterNamespaces()) return false;
  if (missingCapabilities(["CAP_SYS_PTRACE"]).length > 0) return false; // it sees only some
  let walks = 0;
  for (const { pid } of otherNamespaces()) {
    if (walks++ === MOST_ELSEWHERE) return false;
    const walk = within(`/proc/${pid}/ns/net`, () => program.walk(sockets));
    if (walk !== undefined) yield walk;
  }
  return true;
}

/** Lets the program learn what was open before the start: sockets' owners, and who opened them. */
export function seed(program: KernelProgram): void {
  // without CAP_SYS_ADMIN it may enter none, without CAP_SYS_PTRACE it sees none of other users
  const isBlind = missingCapabilities(["CAP_SYS_PTRACE"]).length > 0;
  const mayEnter = mayEnterNamespaces();
  const others = () => otherNamespaces().next().value !== undefined;
  if (mayEnter ? isBlind : others()) program.goWithout("namespaces", "Operation not permitted");
  for (const walks of [walksHere(program, "seed"), walksElsewhere(program, "seed")]) {
    for (const walk of walks) walk.finish();
  }
}

/** Those that this process can see; those of other users' processes need CAP_SYS_PTRACE. */
function* otherNamespaces(): Generator<NetworkNamespace, void, void> {
  const own = namespaceOf("self", "net");
  for (const namespace of networkNamespaces()) if (namespace.inode !== own) yield namespace;
}

/** Entering needs CAP_SYS_ADMIN, even for the own namespace, and may have been given up. */
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

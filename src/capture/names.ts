/** Which names executables, cgroups and pins can have. */
import { isAbsolute } from "node:path";
import { TEXT_LENGTH } from "../session/record_layout.ts";

/** What `isExecutable` requires. */
export const EXECUTABLE = `the name of an executable without its folder, ${
  TEXT_LENGTH.exe - 1
} bytes at most`;

/** Whether an executable can have the name: the kernel program cuts longer ones. */
export function isExecutable(name: string): boolean {
  const { length } = new TextEncoder().encode(name);
  return length > 0 && length < TEXT_LENGTH.exe && !/[/\0]/.test(name);
}

/** What `isCgroup` requires. */
export const CGROUP = "a path as in /proc/PID/cgroup, such as /system.slice/nginx.service";

/** Whether a cgroup can have the path, and is not the root, which holds all. */
export function isCgroup(path: string): boolean {
  return isAbsolute(path) && !path.includes("\0") && !path.split("/").includes("..") &&
    /[^/]/.test(path);
}

/** Whether a folder can have the path in a BPF file system, which allows no dots in names. */
export function isPin(path: string): boolean {
  return isAbsolute(path) && !path.includes(".") && /[^/]/.test(path);
}

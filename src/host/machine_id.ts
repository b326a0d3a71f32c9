/** The id that systemd or D-Bus gave to this host: machine-id(5). */

/** The second is where D-Bus keeps it on hosts without systemd. */
const FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"] as const;

/**
 * 32 hex digits in lower case; undefined if the host has no id, as before its first boot is over,
 * when the file says `uninitialized`, and in most containers, where it is empty.
 * @param files of which the first that holds an id counts
 */
export function machineId(files: readonly string[] = FILES): string | undefined {
  for (const file of files) {
    try {
      const id = parseMachineId(Deno.readTextFileSync(file));
      if (id !== undefined) return id;
    } catch {
      // it is not there, or not for us
    }
  }
  return undefined;
}

const ID = /^(?!0*$)[0-9a-f]{32}$/; // all zeros is none

/** @param text in upper case or with a UUID's dashes too, as some installers write it */
export function parseMachineId(text: string): string | undefined {
  const id = text.trim().toLowerCase()
    .replace(/^(.{8})-(.{4})-(.{4})-(.{4})-(.{12})$/, "$1$2$3$4$5");
  return ID.test(id) ? id : undefined;
}
